"""A model inside other people's pipelines."""
