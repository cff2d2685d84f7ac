#!/usr/bin/env python3
"""Writes golden.json beside this file: the ids that llama.cpp gives for hard texts.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install gguf==0.19.0
    mkdir /tmp/n && (cd /tmp/n && npm install node-llama-cpp@3.22.1)
    /tmp/v/bin/python tests/golden/gguf_tokenizers/make.py /tmp/n [FOLDER of SmolLM2's and Gemma's files]

"cases": tokenizers made of models/tiny's vocabulary, one for each way to cut text that llama.cpp knows and we read, and
of a scored vocabulary ("scored"), each with the ids of every text. "real": the same for the files that
scripts/get-model fetches. Characters that Unicode has had since version 16 are left out: llama.cpp has an older table.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from gguf import GGUFWriter

HERE = pathlib.Path(__file__).parent
TINY = json.loads((HERE / "../../../models/tiny/tokenizer.json").read_text())["model"]

PRE_TOKENIZERS = ["default", "gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "qwen35", "minicpm5", "seed-coder",
                  "tekken", "gpt-4o", "falcon", "deepseek-coder", "deepseek-v3"]

TEXTS = [
    "", " ", "   ", "\n", "\n\n\n x", "\t\tx", " \n \n ", "Hello, world!", "  two  spaces ", "a\r\nb\r\n\r\n c\rd",
    "I'm YOU'RE we've they'LL he'd it's 'S 'ſ it’s", "1234567 3.14 1,000 ½² ٣٤٥ 一二三 Ⅷ",
    "def f(x):\n    return x ** 2  # no\n\n\tif a:\n\t\tpass\n", "a[i] += b[i]; // !!! ???...,,,",
    "😀👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 ❤️", "東京タワーは日本の東京にある。カタカナ", "中文测试，这是一个句子", "한국어 문장입니다 ㄱㄴ",
    "Привет, МИР! ПРИвет", "مرحبا بالعالم שלום", "नमस्ते दुनिया สวัสดีชาวโลก", "naïve café Größe ÅNGström",
    "e\u0301n\u0303o Z͑ͫ̓", "ｆｕｌｌ　ＷＩＤＴＨ１２", "𝔘𝔫𝔦 ﬁ ﷺ ǆ ß ẞ", "\u00a0\u2003\u3000x\u200b\u200d\ufeff\u0085\u2028y",
    "\x00a\x01\x7f\x0b\x0c b", "\ufffd\ue000\U0010ffff", "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|><|im_end|> <|im_end|>x",
    "<|im_start im_end|>", "<s>x</s> <unk>", "▁ ▁▁a▁ b", "<0x0A><0xE2>", "<bos><start_of_turn>user\nHi<end_of_turn>\n",
    "<h1>T</h1><p>a<br></p> <unused7>[multimodal]", "x" * 70, "ab" * 40, " " * 40 + "y", "\n" * 40 + "z",
    "https://example.org/a?b=c&d=e#f", "CamelCaseHTTPServer snake_case", "—–‘’“”…•·¿¡ « »", "x \n\n  \n y   z\n  ",
]


def scored():
    """A SentencePiece vocabulary of our own: bytes, characters, and merges of them by score, some scores alike."""
    tokens = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("<|im_start|>", 0.0, 3), ("<|im_end|>", 0.0, 3)]
    tokens += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
    tokens += [("  ", 0.0, 4), ("    ", 0.0, 4), ("\n\n", 0.0, 4), ("<h1>", 0.0, 4), ("never", 0.0, 5)]
    pieces = ["▁a", "▁t", "th", "▁th", "he", "▁the", "in", "er", "an", "re", "on", "▁▁", "▁▁▁▁", "ll", "el", "ell",
              "▁He", "▁Hell", "lo", "▁Hello", "ab", "aba", "abab", "ba", "xx", "xxx", "xxxx", "東京", "タワ", "タワー",
              "中文", "Пр", "ри", "При", "e\u0301", "🇩🇪", "👩‍👩", "us", "user", "se", "er▁", "</", "h1>", "12", "34", "1234"]
    tokens += [(piece, -float(rank // 2), 1) for rank, piece in enumerate(pieces)]
    characters = sorted(set("".join(pieces) + "▁abcdefghijklmnopqrstuvwxyzABCDEFGHI.,!'0123456789<>/|_[]é"))
    tokens += [(character, -1000.0 - rank, 1) for rank, character in enumerate(characters)]
    return tokens


def new_file(path, model):
    writer = GGUFWriter(path, "llama")
    for add, value in ((writer.add_block_count, 1), (writer.add_context_length, 64), (writer.add_embedding_length, 64),
                       (writer.add_feed_forward_length, 64), (writer.add_head_count, 1),
                       (writer.add_layer_norm_rms_eps, 1e-5)):
        add(value)
    writer.add_tokenizer_model(model)
    return writer


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def merged_file(path, pre):
    vocabulary = sorted(TINY["vocab"], key=TINY["vocab"].get)
    special = ["<|im_start|>", "<|im_end|>", "<h1>"]
    writer = new_file(path, "gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary + special)
    writer.add_token_types([1] * len(vocabulary) + [3, 3, 4])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in TINY["merges"]])
    writer.add_bos_token_id(len(vocabulary))
    writer.add_eos_token_id(len(vocabulary) + 1)
    finish(writer)


def scored_file(path, add_space_prefix):
    tokens = scored()
    writer = new_file(path, "llama")
    writer.add_token_list([token for token, _, _ in tokens])
    writer.add_token_scores([score for _, score, _ in tokens])
    writer.add_token_types([kind for _, _, kind in tokens])
    writer.add_add_space_prefix(add_space_prefix)
    finish(writer)


def main(node_folder, models):
    def ids(file):
        request = json.dumps({"model": str(file), "texts": TEXTS})
        done = subprocess.run(["node", HERE.resolve() / "ids.mjs"], cwd=node_folder, input=request, capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout[done.stdout.index("[") :])

    golden = {"texts": TEXTS, "scored": [list(token) for token in scored()], "cases": [], "real": []}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "m.gguf")
        for pre in PRE_TOKENIZERS:
            merged_file(path, pre)
            golden["cases"].append({"pre": pre, "ids": ids(path)})
        for add_space_prefix in (True, False):
            scored_file(path, add_space_prefix)
            golden["cases"].append({"add_space_prefix": add_space_prefix, "ids": ids(path)})
    for name in ("SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"):
        for file in pathlib.Path(models).rglob(name):
            golden["real"].append({"file": name, "ids": ids(file)})
            break
    with open(HERE / "golden.json", "w") as out:
        json.dump(golden, out, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "models")
