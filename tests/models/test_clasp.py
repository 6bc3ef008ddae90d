"""Sounds in the space of their captions."""

import torch

from models.clasp import Clasp, ClaspConfig, SoundEncoder

CONFIG = ClaspConfig(8, 32, 16, 1, 2)


def test_sounds_of_any_length_have_unit_embeddings() -> None:
    torch.manual_seed(0)
    net = SoundEncoder(CONFIG)
    for frames in (1, 7, 300):
        found = net(torch.randn(3, 8, frames))
        assert found.shape == (3, 32)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_a_sound_that_goes_on_stays_what_it_is() -> None:
    torch.manual_seed(0)
    net, latents = SoundEncoder(CONFIG).eval(), torch.randn(1, 8, 1).expand(1, 8, 400)
    short, long = net(latents[..., :200]), net(latents)
    assert (short * long).sum() > 0.99


def test_it_learns_which_words_belong_to_which_sound() -> None:
    torch.manual_seed(0)
    net, kinds = Clasp(CONFIG), torch.randn(6, 8, 1)
    words = torch.nn.functional.normalize(torch.randn(6, 32))

    def heard() -> torch.Tensor:
        return kinds + 0.3 * torch.randn(6, 8, 20)

    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    first = net.loss(heard(), words).item()
    for _ in range(150):
        optimiser.zero_grad()
        net.loss(heard(), words).backward()  # type: ignore[no-untyped-call] # torch has no types for it
        optimiser.step()
    with torch.no_grad():
        assert net.loss(heard(), words).item() < 0.5 * first
        assert (net.sounds(heard()) @ words.T).argmax(1).tolist() == list(range(6))
