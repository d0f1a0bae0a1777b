"""Tiny models that look and listen, with processors made from scratch, and pictures and clips to give them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from core import registry
from tests.tasks.tiny import Tiny, shaken

SIDE = 32
"""Pictures are resized to this many pixels."""
RATE = 16_000
LETTERS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnop")
WHISPER_TOKENS = (
    *("<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>"),
    *("<|translate|>", "<|transcribe|>", "<|notimestamps|>"),
)


def saved(task: str, model: Any, *processors: Any) -> Tiny:
    """A model with its processor as the task loads it from a checkpoint."""
    with TemporaryDirectory() as folder:
        for one in (model.config, *processors):
            one.save_pretrained(folder)
        return Tiny(model, registry.task(task).load_processor(Path(folder), model))


def picture(**more: Any) -> dict[str, Any]:
    """Settings of an image processor that makes tiny pictures."""
    return {"size": {"height": SIDE, "width": SIDE}, **more}


def centred(model: Any, run: Callable[[], Any]) -> Any:
    """A classifier that favours no label."""
    import torch

    head = getattr(model.classifier, "dense", model.classifier)
    head = head[-1] if isinstance(head, torch.nn.Sequential) else head
    with torch.no_grad():
        head.bias -= run().logits.mean(dim=0)
    return model


def pixels(count: int = 16) -> Any:
    """Pictures as a processor makes them."""
    import torch

    grey = torch.rand(count, 3, 1, 1, generator=torch.manual_seed(1)) * 2 - 1
    return grey + torch.randn(count, 3, SIDE, SIDE, generator=torch.manual_seed(2)) * 0.3


def waves(count: int = 16) -> Any:
    """Clips as a feature extractor makes them."""
    import torch

    return torch.randn(count, RATE // 2, generator=torch.manual_seed(3))


def vit() -> Tiny:
    import transformers

    config = transformers.ViTConfig(
        image_size=SIDE, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.ViTForImageClassification(config))
    model = centred(model, lambda: model(pixel_values=pixels()))
    return saved("image-classification", model, transformers.ViTImageProcessorPil(**picture()))


def convnext() -> Tiny:
    import transformers

    config = transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, num_labels=3)
    model = shaken(lambda: transformers.ConvNextForImageClassification(config))
    model = centred(model, lambda: model(pixel_values=pixels()))
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": SIDE}, crop_pct=0.875)
    return saved("image-classification", model, processor)


def resnet(**more: Any) -> Any:
    """The backbone that DETR and MaskFormer look through."""
    import transformers

    return transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic", **more
    )


def yolos() -> Tiny:
    import transformers

    config = transformers.YolosConfig(
        image_size=[SIDE, SIDE], patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, num_detection_tokens=5, num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.YolosForObjectDetection(config))
    # Pictures keep their shape, so that not all in a batch have the same size.
    processor = transformers.YolosImageProcessorPil(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE})
    return saved("object-detection", model, processor)


def detr() -> Tiny:
    import transformers

    config = transformers.DetrConfig(
        use_timm_backbone=False, backbone=None, use_pretrained_backbone=False,
        backbone_config=resnet(out_features=["stage4"]), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=5,
        num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.DetrForObjectDetection(config))
    processor = transformers.DetrImageProcessorPil(size={"shortest_edge": SIDE, "longest_edge": 2 * SIDE})
    return saved("object-detection", model, processor)


def segformer() -> Tiny:
    import transformers

    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], patch_sizes=[7, 3],
        strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.SegformerForSemanticSegmentation(config))
    return saved("image-segmentation", model, transformers.SegformerImageProcessorPil(**picture()))


def maskformer() -> Tiny:
    import transformers

    decoder = transformers.DetrConfig(
        use_timm_backbone=False, backbone_config=resnet(), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=5,
    )  # fmt: skip
    config = transformers.MaskFormerConfig(
        backbone_config=resnet(out_features=["stage1", "stage2", "stage3", "stage4"]), decoder_config=decoder,
        fpn_feature_size=32, mask_feature_size=16, num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.MaskFormerForInstanceSegmentation(config))
    processor = transformers.MaskFormerImageProcessorPil(
        size={"shortest_edge": 2 * SIDE, "longest_edge": 4 * SIDE}, num_labels=3
    )
    return saved("image-segmentation", model, processor)


def wav2vec2_sizes() -> dict[str, Any]:
    """Settings that make wav2vec 2.0 and its kin tiny, with a frame of 20 ms."""
    return {
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48},
        **{"conv_dim": (16, 16, 16), "conv_stride": (5, 8, 8), "conv_kernel": (10, 8, 8)},
        **{"num_feat_extract_layers": 3, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
        **{"vocab_size": len(LETTERS), "pad_token_id": 0, "classifier_proj_size": 16, "apply_spec_augment": False},
    }


def wav2vec2_config(norm: str, **more: Any) -> Any:
    import transformers

    stable = norm == "layer"
    return transformers.Wav2Vec2Config(**wav2vec2_sizes(), feat_extract_norm=norm, do_stable_layer_norm=stable, **more)


def letters() -> Any:
    """A CTC tokenizer of sixteen letters."""
    import transformers

    with TemporaryDirectory() as folder:
        file = Path(folder) / "vocab.json"
        file.write_text(json.dumps({letter: index for index, letter in enumerate(LETTERS)}))
        return transformers.Wav2Vec2CTCTokenizer(str(file))


def wav2vec2_ctc(norm: str) -> Tiny:
    """Recognition of letters; with `layer` clips are padded behind a mask, with `group` they cannot be."""
    import transformers

    config = wav2vec2_config(norm)
    model = shaken(lambda: transformers.Wav2Vec2ForCTC(config), scale=0.1)
    extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer")
    return saved("automatic-speech-recognition", model, extractor, letters())


def wav2vec2_classifier(norm: str) -> Tiny:
    import transformers

    config = wav2vec2_config(norm, num_labels=3)
    model = shaken(lambda: transformers.Wav2Vec2ForSequenceClassification(config), scale=0.1)
    model = centred(model, lambda: model(input_values=waves()))
    return saved("audio-classification", model, transformers.Wav2Vec2FeatureExtractor())


def ast() -> Tiny:
    import transformers

    config = transformers.ASTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, patch_size=16,
        frequency_stride=16, time_stride=16, max_length=128, num_mel_bins=32, num_labels=3,
    )  # fmt: skip
    model = shaken(lambda: transformers.ASTForAudioClassification(config))
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=128)
    return saved("audio-classification", model, extractor)


def whisper_tokenizer() -> Any:
    """Bytes, and the special tokens of a Whisper of two languages."""
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = {token: index for index, token in enumerate((*sorted(ByteLevel.alphabet()), *WHISPER_TOKENS))}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"extra_special_tokens": list(WHISPER_TOKENS)})
    return tokenizer


def whisper() -> Tiny:
    import transformers

    tokenizer = whisper_tokenizer()
    ids = dict(zip(WHISPER_TOKENS, tokenizer.convert_tokens_to_ids(list(WHISPER_TOKENS)), strict=True))
    config = transformers.WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=16, max_target_positions=64,
        pad_token_id=ids["<|endoftext|>"], bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"],
    )  # fmt: skip
    model = shaken(lambda: transformers.WhisperForConditionalGeneration(config))
    generation = model.generation_config
    generation.is_multilingual = True
    generation.lang_to_id = {language: ids[language] for language in ("<|en|>", "<|de|>")}
    generation.task_to_id = {task: ids[f"<|{task}|>"] for task in ("translate", "transcribe")}
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.begin_suppress_tokens = [ids["<|endoftext|>"]]
    extractor = transformers.WhisperFeatureExtractor(feature_size=16)
    return saved("automatic-speech-recognition", model, extractor, tokenizer)


ARCHITECTURES = {
    "image-classification": {"vit": cache(vit), "convnext": cache(convnext)},
    "object-detection": {"yolos": cache(yolos), "detr": cache(detr)},
    "image-segmentation": {"segformer": cache(segformer), "maskformer": cache(maskformer)},
    "audio-classification": {
        "wav2vec2": cache(partial(wav2vec2_classifier, "layer")),
        "ast": cache(ast),
    },
    "automatic-speech-recognition": {
        "wav2vec2": cache(partial(wav2vec2_ctc, "layer")),
        "wav2vec2-group-norm": cache(partial(wav2vec2_ctc, "group")),
        "whisper": cache(whisper),
    },
}


def pictures(count: int, seed: int, folder: Path) -> list[dict[str, str]]:
    """PNG files of two sizes, upright and lying."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    files = []
    for number in range(count):
        height, width = ((24, 32), (32, 24), (40, 40))[number % 3]
        ground = generator.integers(0, 256, size=3)
        noise = generator.integers(-40, 40, size=(height, width, 3))
        files.append(folder / f"picture-{seed}-{number}.png")
        Image.fromarray((ground + noise).clip(0, 255).astype(np.uint8)).save(files[-1])
    return [_value(file) for file in files]


def clips(count: int, seed: int, folder: Path) -> list[dict[str, str]]:
    """WAV files of a twentieth of a second to a second, some at 8 kHz, some with two channels."""
    import soundfile

    generator = np.random.default_rng(seed)
    files = []
    for number in range(count):
        rate = RATE if number % 4 else RATE // 2
        samples = int(generator.uniform(0.05, 1) * rate)
        tone = np.sin(np.arange(samples) / rate * 2 * np.pi * generator.uniform(100, 2000))
        wave = 0.5 * tone + 0.2 * generator.normal(size=samples)
        files.append(folder / f"clip-{seed}-{number}.wav")
        soundfile.write(files[-1], np.stack([wave, tone], axis=1) if number % 3 == 0 else wave, rate)
    return [_value(file) for file in files]


def _value(file: Path) -> dict[str, str]:
    return {"file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


ROWS = {"image": pictures, "audio": clips}
