"""Offline means offline, and encoders compute today what they computed yesterday."""

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModel,
    AutoTokenizer,
    BertConfig,
    DebertaV2Config,
    PreTrainedConfig,
    RobertaConfig,
)

from convener import Document, train
from convener.models.encoders import Encoder
from convener.recipes.run_config import RunConfig
from tests.program import ENVIRONMENT

NO_SOCKETS = """
import socket, sys

class Refused(socket.socket):
    def __init__(self, *arguments, **options):
        raise AssertionError("a socket was opened")

socket.socket = Refused
socket.getaddrinfo = socket.create_connection = Refused
from convener import load
print(len(load(sys.argv[1]).predict("We gave aspirin in Oslo today .")))
"""
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
}
GOLDEN = {
    "bert": (BertConfig(vocab_size=300, **SIZE), [2.1941, 0.464, -1.685, 1.53, 1.1011, -1.7399]),
    "roberta": (
        RobertaConfig(vocab_size=300, **SIZE),
        [1.2897, 0.6612, -1.2262, 2.2719, 0.2584, -2.1803],
    ),
    "deberta-v2": (
        DebertaV2Config(vocab_size=300, **DEBERTA, **SIZE),
        [-1.3986, 0.7495, 3.3165, -1.5304, 0.415, 2.8398],
    ),
}


def test_a_local_model_opens_no_socket(
    labelled: list[Document], run_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    model = train(labelled, config=run_config(experts=1, self_training=False))
    model.save_pretrained(tmp_path / "model")
    command = [sys.executable, "-c", NO_SOCKETS, tmp_path / "model"]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(model.predict("We gave aspirin in Oslo today ."))


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_outputs(kind: str, tiny_encoder: Path) -> None:
    """Weights are drawn by their names, so only a change of what is computed can fail this."""
    config, expected = GOLDEN[kind]
    found = digest(config, tiny_encoder)
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), atol=2e-3, rtol=0)


def digest(config: PreTrainedConfig, tokenizer: Path) -> list[float]:
    """Six values of hidden states of a padded batch, with shapes, segments left to the model."""
    model = AutoModel.from_config(config)
    encoder = Encoder(model, AutoTokenizer.from_pretrained(tokenizer), shapes=True).eval()
    for name, values in encoder.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        values.data = 0.3 * torch.randn(values.shape, generator=generator)
        if "norm" in name.lower() and name.endswith("weight"):
            values.data += 1
    ids = torch.arange(5, 19).view(2, 7)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])
    with torch.inference_mode():
        hidden = encoder(ids, mask, ids % 5)
    return [round(float(value), 4) for value in (*hidden[0, 6, :3], *hidden[1, 3, :3])]
