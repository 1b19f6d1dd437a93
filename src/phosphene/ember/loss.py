"""Loss: noise is put on examples, and the error of the clean clips that the denoiser expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from phosphene.ember.noise import normal, uniform
from phosphene.ember.settings import TrainConfig

# Streams of one example's noise.
LEVEL, PURE, OWN, PICTURE, SOUND = range(5)


def noise_levels(indices: torch.Tensor, frames: int, config: TrainConfig) -> torch.Tensor:
    """Sigma `(b, f)` of the examples' frames: one for all, or each its own.

    Full noise for a share of them, the rest logit-normal; shifted as the config says.
    """
    sigma = torch.sigmoid(0.8 + normal(config.seed, indices, LEVEL, frames))
    sigma = config.shift * sigma / (1 + (config.shift - 1) * sigma)
    pure = uniform(config.seed, indices, PURE, frames) < config.pure_noise
    sigma = torch.where(pure, 1.0, sigma)
    own = uniform(config.seed, indices, OWN, 1) < config.own_levels
    return torch.where(own, sigma, sigma[:, :1])


def losses(
    model: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    batch: Mapping[str, torch.Tensor],
    config: TrainConfig,
    looks: int | None = None,
) -> dict[str, torch.Tensor]:
    """Weighted error of the predicted clean pictures and sound.

    The noise depends on (seed, example) alone, whatever the batch and the device.

    Args:
        model: an `EmberTransformer`, wrapped or not.
        batch: see `View.of`, stacked, with the examples' numbers under `index`.
        looks: how often given frames are looked over; the model's own number when None.

    Returns:
        loss, and its parts picture and sound, `()`.
    """
    video = batch["video"].permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    audio, given, heard = batch["audio"], batch["given"], batch["heard"]
    indices = batch["index"]
    sigma = noise_levels(indices, video.shape[1], config).masked_fill(heard, 0.0)
    noise = normal(config.seed, indices, PICTURE, video[0].numel()).view_as(video)
    audio_noise = normal(config.seed, indices, SOUND, audio[0].numel()).view_as(audio)
    s, r = sigma[:, :, None, None, None], sigma[:, :, None]
    held, known = given[:, :, None, None, None], heard[:, :, None]
    noised = torch.where(held, video, (1 - s) * video + s * noise)
    audio_noised = (1 - r) * audio + r * audio_noise
    velocity, audio_velocity = model(
        noised,
        audio_noised,
        sigma * 1000,
        batch["words"],
        given,
        batch["frame_ids"],
        looks,
        return_dict=False,
    )
    clean = noised - s * velocity.float()
    audio_clean = audio_noised - r * audio_velocity.float()
    # Small noise hides little, so its error counts more, as in the velocity loss, up to 4 times.
    level = (1 / s.square()).clamp_max(4)
    error = level * (clean - video).square() * ~held
    change = ((video - video[:, :1]).abs().amax(2, keepdim=True) > 0.1) & ~held
    # Averaged over the example's own change: a digit counts as much as a whole path does.
    area = change.sum((1, 2, 3, 4)).clamp_min(0.003 * change[0].numel())
    changed = (error.mean(2, keepdim=True) * change).sum((1, 2, 3, 4)) / area
    picture = error.mean() + config.change_weight * changed.mean()
    sound = (level[..., 0, 0] * (audio_clean - audio).square() * ~known).mean()
    return {"loss": picture + config.sound_weight * sound, "picture": picture, "sound": sound}
