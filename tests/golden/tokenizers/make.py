#!/usr/bin/env python3
"""Writes golden.json beside this file: what Hugging Face's libraries make of small tokenizers, one for each component.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install tokenizers==0.23.3 transformers==5.24.0 sentencepiece xxhash
    /tmp/v/bin/python tests/golden/tokenizers/make.py

"cases": tokenizers, and what they make of each of "texts": ids and text again where there is a decoder, else a digest
of the ids, XXH3-64 of them as 32-bit little-endian numbers. "sweeps": tokenizers through which every assigned region of
Unicode goes, with a digest for each region. "folders": checkpoint folders with a tokenizer_config.json, through
transformers.
"""
import array
import json
import pathlib
import random
import tempfile

import sentencepiece
import transformers
import xxhash
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).parent
RANDOM = random.Random(17)

TEXTS = [
    "Hello, world!", "  two  spaces\tand\ttabs \n\nlines\r\n", "don't WE'LL i'm THEY'RE x'S", "3.14 1234567 0x1F v2.0b",
    "naïve café Ünï ÀÉÎ e\u0301 n\u0303o Z\u0351\u036b\u0343z ǅ ŉ", "straße STRASSE ﬁ ﬃ ſ K Å İ ı ß ẞ ΑΣ σς",
    "x² + y³ = ½ ¼ ⅔ ⁴ ₂ Ⅷ ⅷ ① ⒈ ㊀ ㍻ ㋿", "東京タワーへ行きました。你好，世界！한국어도 한국", "ﾊﾟﾋﾟﾌﾟ ｶﾞ ＡＢＣ１２３ ｱ",
    "مرحبا بالعالم ١٢٣ ـ؟ שלום", "नमस्ते क्षत्रिय ক্ষ தமிழ் ไทย ພາສາ", "\U0001F469\u200d\U0001F469\u200d\U0001F467 \U0001F44D\U0001F3FD\u2764\ufe0f\U0001F1E9\U0001F1EA1\ufe0f\u20e3",
    "a\u200db\u200cc\u00adad\u2060e\ufefff\u180eg\u0085h\u2028i\u00a0j\u3000k", "_x_ __init__ a-b—c…d “q” «r» ‿ ﹏ $+<=>^`|~",
    "for (int i = 0; i < n; ++i) {\n\treturn x[i] != '\\0';\n}\n", "\x00\x01\x1b\x7f\x80\x9f a\ufffdb\ufffe\U0010ffff\U000e0041",
    "ᚠᛇᚻ 𝔘𝔫𝔦 𝟘𝟙 𐐀𐐨 \U00016e40 Ꭰꭰ ᲀᲁ Ა ა Ɤ ɤ ꟋꟌꟜ \ua7d2\ua7ce 𐵐𐵰", "\u1100\u1161\u11a8 각 \uac00\u11a8 \u0958 \u0929 \u0344 \u2126 \u1e9b\u0323",
    "\U00011938 \U00011935\U00011930 \u0c3c\u0cbc \U000105d2\u0307 \u08ca\u0334a \u0897\u0315", "aaaaaaaa bbbb abababab ", "", " ", "\n", "a",
]


def random_text():
    pools = ["abcdefgh ABC .,!?'\n", "éüñÀß\u0301\u0308", "東京あア한국", "²³½①Ⅷ१", "\u200d\u200c\ufe0f\U0001F600\U0001F469", None]
    out = ""
    for _ in range(RANDOM.randrange(1, 24)):
        pool = RANDOM.choice(pools)
        code = RANDOM.choice([RANDOM.randrange(0x3000), RANDOM.randrange(0x20000)])
        out += RANDOM.choice(pool) if pool else chr(code if not 0xD800 <= code < 0xE000 else 0x20)
    return out


TEXTS += [random_text() for _ in range(12)]


def spell_bytes():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable}
    names.update({byte: chr(0x100 + index) for index, byte in enumerate(other)})
    return [names[byte] for byte in range(256)]


BYTES = spell_bytes()
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
# The last byte of each piece has an id of its own, so that the ids show where text was cut.
PIECES = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
          "end_of_word_suffix": "</w>", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
          "vocab": {token: index for index, token in enumerate(BYTES + [name + "</w>" for name in BYTES])},
          "merges": []}


def sequence(kind, key, *parts):
    return {"type": "Sequence", key: list(parts)}


def file(model=None, normalizer=None, pre=None, post=None, decoder=None, added=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added), "normalizer": normalizer,
            "pre_tokenizer": pre, "post_processor": post, "decoder": decoder, "model": model or "pieces"}


def pieces(pre=None, normalizer=None, **more):
    steps = [pre, BYTE_LEVEL] if pre else [BYTE_LEVEL]
    return file(normalizer=normalizer, pre=sequence("", "pretokenizers", *steps), **more)


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def bert(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True, **options}


def added(index, content, **options):
    return {"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **options}


def charsmap():
    """A small map of characters as SentencePiece compiles it."""
    rules = {"A": "a", "É": "e", "ﬁ": "fi", "①": "1", "㍻": "平成", "e\u0301": "é", "\u0301": "", "\t": " ", "ﾊﾟ": "パ",
             "ab": "x", "abc": "yz", "\u00ad": "", "İ": "i\u0307", "½": "1/2", "\u3000": " ", "한": "han"}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        code = lambda text: " ".join(f"{ord(letter):X}" for letter in text)
        (folder / "rules.tsv").write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in rules.items()))
        (folder / "text.txt").write_text("a b c d e f g h i j\n" * 20)
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "text.txt"), model_prefix=str(folder / "m"), vocab_size=16, hard_vocab_limit=False, model_type="unigram",
            normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2)
        from transformers.utils import sentencepiece_model_pb2_new as proto
        model = proto.ModelProto()
        model.ParseFromString((folder / "m.model").read_bytes())
        import base64
        return base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()


def unigram(byte_fallback=False, unk=0):
    words = ["▁the", "▁a", "▁", "he", "ll", "llo", "hel", "ab", "aba", "bab", "abab", "東京", "京", "é", "e\u0301", "in", "ing",
             "▁w", "or", "ld", "wor", "world", "1", "12", "123", "...", "\U0001F469\u200d\U0001F469"]
    letters = "abcdefghijklmnopqrstuvwxyzABCDE.,!?'東あ"
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0]]
    vocab += [[word, -round(RANDOM.uniform(2, 9), 4)] for word in words]
    vocab += [[letter, -round(RANDOM.uniform(4, 9), 4)] for letter in letters]
    vocab += [["aa", -7.0], ["aaa", -10.5], ["bb", -9.0], ["bbb", -13.5]]
    if byte_fallback:
        vocab += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
    return {"type": "Unigram", "unk_id": unk, "vocab": vocab, "byte_fallback": byte_fallback}


METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}

PATTERNS = {
    "word": r"\w+", "not word": r"\W", "word in brackets": r"[\w]+", "not word in brackets": r"[\W]+",
    "not in word brackets": r"[^\w\s]+", "boundary": r"\b", "around a boundary": r".\b.", "no boundary": r"\B", "digit": r"\d",
    "space": r"\s", "hex": r"\h+", "letters": r"\p{L}+", "not letters": r"\p{^L}+", "neither": r"\P{^L}+", "long name": r"\p{Uppercase_Letter}",
    "spaced name": r"\p{lowercase letter}", "numbers": r"\p{N}{1,3}", "marks": r"\p{M}", "symbols": r"[\p{S}\p{P}]",
    "punct": r"[[:punct:]]", "punct property": r"\p{punct}", "posix": r"[[:alpha:][:digit:]]+", "not posix": r"[[:^alnum:]]",
    "graph": r"[[:graph:]]+", "print": r"[[:print:]]+", "upper": r"[[:upper:]]", "lower": r"\p{Lower}", "word class": r"[[:word:]]+",
    "Han": r"\p{Han}+", "not Han": r"[^\p{Han}]", "Latin": r"\p{Latin}+", "scripts": r"[\p{Hiragana}\p{Katakana}\p{Hangul}ー]+",
    "Arabic": r"\p{Arabic}+", "Common": r"\p{Common}", "Cyrillic": r"\p{Cyrillic}", "intersection": r"[\p{L}&&[^\p{Lu}]]+",
    "alphabetic": r"\p{Alphabetic}+", "unassigned": r"\p{Cn}", "format": r"[\p{Cf}\p{Co}]", "separators": r"\p{Z}",
}
SYNTAX = {
    "repeat is not possessive": r"a{1,2}+b?", "a repeat of a repeat": r"(?:ab){2}+", "hex code": r"\u0041|\x{6771}|\x62", "any character": r"\O",
    "any but a newline": r".+", "line ends": r"^.|.$", "text ends": r"\A.|.\z|.\Z", "no case": r"(?i:strasse|k|σ)", "no case, class": r"(?i)[a-c]+|ß",
    "no case, category": r"(?i)\p{Lu}+", "no case, category in brackets": r"(?i)[\p{Lu}]+", "no case, not": r"(?i)[^\p{Ll}]+", "not case": r"(?i)(?-i:a)b",
    "ahead": r"\s+(?!\S)|\s+", "behind": r"(?<=\d)[a-z]|(?<!\w)'", "possessive": r"a++b|[^b]*+b", "atomic": r"(?>a+)b", "lazy": r"a+?b",
    "named group": r"(?<q>['\"]).*?\k<q>", "reference": r"(.)\1", "comment": r"a(?#not [ this)b", "extended": r"(?x: a \s b )",
    "classes in classes": r"[a[^b-z]]+", "bracket first": r"[]a]+", "escapes": r"[\t\n\r\-\]]+|\.", "octal": r"\101|\0", "control": r"\cI",
    "grapheme": r"\X", "newline": r"\R", "not newline": r"\N+", "keep": r"a\Kb", "empty": r"", "maybe empty": r"b*", "lookahead alone": r"(?=b)",
    "absent": r"(?~b)", "conditional": r"(a)?(?(1)b|c)", "call": r"(?<p>\((?:[^()]|\g<p>)*\))", "ascii word": r"(?W)\w+", "ascii digits": r"(?D:\d)+",
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "gpt4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek": "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    "kimi": r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
NORMALIZERS = {
    "NFC": {"type": "NFC"}, "NFD": {"type": "NFD"}, "NFKC": {"type": "NFKC"}, "NFKD": {"type": "NFKD"}, "Lowercase": {"type": "Lowercase"},
    "StripAccents": {"type": "StripAccents"}, "NFD, StripAccents": sequence("", "normalizers", {"type": "NFD"}, {"type": "StripAccents"}),
    "Strip": {"type": "Strip", "strip_left": True, "strip_right": True}, "BERT": bert(), "BERT, cased": bert(lowercase=False),
    "BERT, accents": bert(lowercase=False, strip_accents=True, clean_text=False, handle_chinese_chars=False),
    "BERT, accents kept": bert(strip_accents=False),
}
PRE_TOKENIZERS = {
    "Whitespace": {"type": "Whitespace"}, "WhitespaceSplit": {"type": "WhitespaceSplit"}, "Punctuation": {"type": "Punctuation", "behavior": "Isolated"},
    "Digits": {"type": "Digits", "individual_digits": True}, "Digits together": {"type": "Digits", "individual_digits": False},
    "BertPreTokenizer": {"type": "BertPreTokenizer"}, "ByteLevel": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
}


def all_cases():
    out = {}
    for name, step in NORMALIZERS.items():
        out[f"normalizer {name}"] = pieces(normalizer=step)
    for name, pattern in {"regex": {"Regex": "a*"}, "empty": {"Regex": ""}, "text": {"String": "."}, "case": {"Regex": "(?i)[a-c]|\\w\\b"}}.items():
        out[f"normalizer Replace {name}"] = pieces(normalizer={"type": "Replace", "pattern": pattern, "content": "-é"})
    out["normalizer Precompiled"] = pieces(normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap()})
    out["normalizer Prepend"] = pieces(normalizer={"type": "Prepend", "prepend": "▁"})
    for name, step in PRE_TOKENIZERS.items():
        if name != "ByteLevel":
            out[f"pre-tokenizer {name}"] = pieces(step)
    for behavior in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        out[f"pre-tokenizer Punctuation {behavior}"] = pieces({"type": "Punctuation", "behavior": behavior})
        out[f"pre-tokenizer Split {behavior}"] = pieces(split(r"\s|a*", behavior))
        out[f"pre-tokenizer Split {behavior}, inverted"] = pieces(split(r"\w+", behavior, True))
    for text in ["a", "", "ab"]:
        out[f"pre-tokenizer Split by text '{text}'"] = pieces({"type": "Split", "pattern": {"String": text}, "behavior": "Isolated", "invert": False})
    for name, pattern in {**PATTERNS, **SYNTAX}.items():
        out[f"regex {name}"] = pieces(split(pattern))
    for scheme in ["always", "first", "never"]:
        out[f"unigram {scheme}"] = file(unigram(), pre={**METASPACE, "prepend_scheme": scheme}, decoder={**METASPACE, "prepend_scheme": scheme},
                                        added=[added(1, "<s>"), added(2, "</s>")])
    out["unigram with bytes"] = file(unigram(True), pre=METASPACE, decoder=sequence(
        "", "decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}))
    out["unigram, nothing cut"] = file(unigram(), normalizer=NORMALIZERS["NFKC"])
    single = added(600, "ab", single_word=True, special=False)
    out["added tokens"] = pieces(added=[single, added(601, "<x>", lstrip=True), added(602, "<y>", rstrip=True), added(603, "é", normalized=True, special=False)],
                                 normalizer={"type": "NFC"})
    return out


MARKED = ["ab", "<x>ab ²ab ab½ ab\u200d abé", "a <x> b<y>  \u3000c <x><y> ", "e\u0301 é cabd ab", "ab\u0301 _ab"]


def with_model(description):
    return {**description, "model": PIECES} if description["model"] == "pieces" else description


def shifted(description):
    """Ids that the reference gives to added tokens stand behind its vocabulary."""
    size = len(with_model(description)["model"]["vocab"])
    places = iter(range(size, size + 100))
    vocab = with_model(description)["model"]["vocab"]
    known = set(vocab) if isinstance(vocab, dict) else {token for token, _ in vocab}
    return {**description, "added_tokens": [token if token["content"] in known else {**token, "id": next(places)} for token in description["added_tokens"]]}


# Unicode 15 and newer. Case folding and \\X are the installed Oniguruma's, whose Unicode may be older than the reference's.
NEWER = set("\ua7cb\ua7cc\ua7da\U00010d50\U000105d2\u0897")


def depends_on_library(description, text):
    pattern = json.dumps(description["pre_tokenizer"])
    return ("(?i" in pattern or "\\\\X" in pattern) and not NEWER.isdisjoint(text)


def make_cases():
    cases = []
    for name, description in all_cases().items():
        description = shifted(description)
        try:
            tokenizer = Tokenizer.from_str(json.dumps(with_model(description)))
        except Exception as error:  # what the reference refuses has to be refused
            cases.append({"name": name, "file": description, "refused": str(error)})
            continue
        encoded = []
        for text in MARKED + TEXTS:
            if depends_on_library(description, text):
                encoded.append(None)
                continue
            try:
                ids = tokenizer.encode(text).ids
            except BaseException:  # a panic of the reference: it has no answer
                encoded.append(None)
                continue
            encoded.append([ids, tokenizer.decode(ids, skip_special_tokens=False)] if description["decoder"] else digest(ids))
        cases.append({"name": name, "file": description, "encode": encoded})
    return cases


def digest(ids):
    return xxhash.xxh3_64_hexdigest(array.array("I", ids).tobytes())


REGIONS = [(0, 0xD800), (0xE000, 0xE100), (0xF8F0, 0x20000), (0x2A6D0, 0x2FA20), (0x31340, 0x323C0), (0xE0000, 0xE0200), (0x10FFF0, 0x110000)]


def make_sweeps():
    sweeps = []
    chosen = {f"normalizer {name}": pieces(normalizer=step) for name, step in NORMALIZERS.items()}
    chosen.update({f"pre-tokenizer {name}": pieces(step) if name != "ByteLevel" else file(pre=step) for name, step in PRE_TOKENIZERS.items()})
    chosen.update({f"regex {name}": pieces(split(pattern)) for name, pattern in PATTERNS.items()})
    chosen.update({f"regex {name}": pieces(split(SYNTAX[name])) for name in ["llama3", "gpt4o", "deepseek", "kimi"]})
    for name, description in chosen.items():
        tokenizer = Tokenizer.from_str(json.dumps(with_model(description)))
        digests = {}
        for first, last in REGIONS:
            hasher = xxhash.xxh3_64()
            for begin in range(first, last, 4096):
                text = "a" + "a".join(map(chr, range(begin, min(begin + 4096, last)))) + "a"
                hasher.update(array.array("I", tokenizer.encode(text).ids).tobytes())
            digests[f"{first:x}"] = hasher.hexdigest()
        sweeps.append({"name": name, "file": description, "digests": digests})
    return sweeps


def make_folders():
    # transformers 5.24 drops add_bos_token and add_eos_token where there is a tokenizer.json. We obey them as transformers
    # 4 did for Llama's tokenizers, so that no case here has one that is true and would count.
    base = {"type": "BPE", "vocab": {**{token: index for index, token in enumerate(BYTES)}, "<|im_end|>": 256}, "merges": []}
    plain = file(base, pre=BYTE_LEVEL, decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                 post={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}, added=[added(257, "<s>")])
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [257], "tokens": ["<s>"]}}}
    token = lambda content, **options: {key: value for key, value in added(0, content, **options).items() if key != "id"}
    configs = {
        "nothing": (plain, {}),
        "eos_token of the vocabulary": (plain, {"eos_token": "<|im_end|>"}),
        "added_tokens_decoder": (plain, {"added_tokens_decoder": {"258": token("<|tool|>"), "259": token("<|x|>", lstrip=True), "260": token("yes", special=False, normalized=True)}}),
        "other words on a listed token": (plain, {"added_tokens_decoder": {"257": token("<s>", rstrip=True)}}),
        "additional_special_tokens": (plain, {"additional_special_tokens": ["<a>", "<b>"]}),
        "add_bos_token: false": (plain, {"add_bos_token": False, "bos_token": "<s>"}),
        "the post-processor says it too": ({**plain, "post_processor": template}, {"add_bos_token": True, "bos_token": "<s>"}),
    }
    folders = []
    for name, (description, config) in configs.items():
        config = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "tokenizer.json").write_text(json.dumps(description))
            (folder / "tokenizer_config.json").write_text(json.dumps(config))
            tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
            texts = ["<s>hi<|im_end|>", "a <|tool|> b<|x|>", "yes <|x|>yes", "<a><b> <s> z", "hello"]
            folders.append({"name": name, "file": description, "config": config,
                            "encode": [[text, tokenizer.encode(text), tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True)] for text in texts]})
    return folders


def main():
    golden = {"folders": make_folders(), "cases": make_cases(), "sweeps": make_sweeps()}
    lines = ["{", f' "pieces": {json.dumps(PIECES, ensure_ascii=False)},', f' "texts": {json.dumps(MARKED + TEXTS, ensure_ascii=False)},']
    for key in ["cases", "sweeps", "folders"]:
        rows = ",\n".join("  " + json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in golden[key])
        lines.append(f' "{key}": [\n{rows}\n ]' + ("," if key != "folders" else ""))
    (HERE / "golden.json").write_text("\n".join([*lines, "}", ""]))


if __name__ == "__main__":
    main()
