// node ids.mjs: {"model": FILE.gguf, "texts": [...]} on standard input -> the ids that llama.cpp gives, special tokens
// that are spelt in a text being those tokens, nothing added. Run by make.py where node-llama-cpp is installed.
import fs from "fs";
import {createRequire} from "module";
import {pathToFileURL} from "url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(require.resolve("node-llama-cpp")));
const {model: modelPath, texts} = JSON.parse(fs.readFileSync(0, "utf8"));
const llama = await getLlama({gpu: false, logLevel: LlamaLogLevel.error, build: "never"});
const model = await llama.loadModel({modelPath, vocabOnly: true});
fs.writeSync(1, JSON.stringify(texts.map(text => (text === "" ? [] : Array.from(model.tokenize(text, true))))));
process.exit(0);
