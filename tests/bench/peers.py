#!/usr/bin/env python3
"""The workloads of forward.rs on peers that are not written in Rust; compare.py runs it.

usage: peers.py MODEL.gguf DIRECTORY serve|answer PEER   (torch, transformers, transformer-lens, llama-cpp-python)
"""

import sys
import time

PREFILL, PROMPT, DECODE, LENS = 512, 16, 128, 128
TEXT = "The capital of France is"


def ids(n):
    return [1000 + (i * 7919) % 20000 for i in range(n)]


def serve(workloads):
    """Runs the workload that each line of standard input names, and answers with its seconds and tokens."""
    for name in workloads:
        print(name)
    print("ready", flush=True)
    for line in sys.stdin:
        tokens, run = workloads[line.rstrip("\n")]
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, tokens, flush=True)


def transformers_model(directory, dtype):
    """A model, its prefill and its decoding."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, attn_implementation="eager").eval()

    def prefill():
        model(torch.tensor([ids(PREFILL)]), logits_to_keep=1)

    def decode():
        cache = model(torch.tensor([ids(PROMPT)]), use_cache=True, logits_to_keep=1).past_key_values
        for token in ids(DECODE):
            cache = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True).past_key_values

    return model, prefill, decode


def transformers_bf16(directory):
    _, prefill, decode = transformers_model(directory, "bfloat16")
    return {"transformers bf16 prefill 512": (PREFILL, prefill), "transformers bf16 decode 128": (DECODE, decode)}


def transformers(directory):
    import torch

    model, prefill, decode = transformers_model(directory, "float32")

    def capture():
        model(torch.tensor([ids(PREFILL)]), output_attentions=True, output_hidden_states=True)

    def lens():
        out = model(torch.tensor([ids(LENS)]), output_hidden_states=True)
        last = out.logits[0].log_softmax(-1)
        # the last hidden state is already normalised
        for hidden in out.hidden_states[:-1]:
            logprobs = model.lm_head(model.model.norm(hidden))[0].log_softmax(-1)
            probs = logprobs.exp()
            logprobs.topk(5)
            -(probs * logprobs).sum(-1)
            (last.exp() * (last - logprobs)).sum(-1)

    return {
        "transformers f32 prefill 512": (PREFILL, prefill),
        "transformers f32 decode 128": (DECODE, decode),
        "transformers f32 512, attentions and states": (PREFILL, capture),
        "transformers f32 logit lens 128": (LENS, lens),
    }


def transformer_lens_model(directory):
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    return TransformerBridge.boot_transformers(directory, dtype=torch.float32), torch.tensor([ids(PREFILL)])


def is_pattern_or_stream(name):
    return name.endswith(("hook_pattern", "hook_resid_pre", "hook_resid_post"))


def transformer_lens(directory):
    import torch

    model, tokens = transformer_lens_model(directory)

    def decode():
        model.generate(torch.tensor([ids(PROMPT)]), max_new_tokens=DECODE, do_sample=False, stop_at_eos=False, verbose=False)

    def lens():
        logits, cache = model.run_with_cache(tokens[:, :LENS])
        last = logits[0].log_softmax(-1)
        for layer in range(model.cfg.n_layers):
            logprobs = model.unembed(model.ln_final(cache["resid_post", layer]))[0].log_softmax(-1)
            probs = logprobs.exp()
            logprobs.topk(5)
            -(probs * logprobs).sum(-1)
            (last.exp() * (last - logprobs)).sum(-1)

    return {
        "TransformerLens f32 prefill 512": (PREFILL, lambda: model(tokens)),
        "TransformerLens f32 decode 128": (DECODE, decode),
        "TransformerLens f32 logit lens 128": (LENS, lens),
        "TransformerLens f32 512, run_with_cache": (PREFILL, lambda: model.run_with_cache(tokens)),
        "TransformerLens f32 512, patterns and streams kept": (
            PREFILL,
            lambda: model.run_with_cache(tokens, names_filter=is_pattern_or_stream),
        ),
    }


def llama_cpp(gguf):
    from llama_cpp import Llama

    model = Llama(gguf, n_ctx=1024, n_threads=2, n_threads_batch=2, n_gpu_layers=0, verbose=False)

    def prefill():
        model.reset()
        model.eval(ids(PREFILL))

    def decode():
        model.reset()
        model.eval(ids(PROMPT))
        for token in ids(DECODE):
            model.eval([token])

    return {"llama.cpp prefill 512": (PREFILL, prefill), "llama.cpp decode 128": (DECODE, decode)}


def answer_llama_cpp(gguf, _):
    from llama_cpp import Llama

    model = Llama(gguf, n_ctx=512, n_threads=2, logits_all=True, verbose=False)
    print(model(TEXT, max_tokens=1, logprobs=10)["choices"][0]["logprobs"])


def answer_transformers(_, directory):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    logits = model(**tokenizer(TEXT, return_tensors="pt")).logits[0, -1]
    top = logits.softmax(-1).topk(10)
    print([(tokenizer.decode([i]), p) for i, p in zip(top.indices.tolist(), top.values.tolist())])


def keep_everything(_, directory):
    model, tokens = transformer_lens_model(directory)
    _, cache = model.run_with_cache(tokens)
    print(len(cache))


def keep_patterns_and_streams(_, directory):
    model, tokens = transformer_lens_model(directory)
    _, cache = model.run_with_cache(tokens, names_filter=is_pattern_or_stream)
    assert len(cache) == 3 * model.cfg.n_layers, list(cache.keys())


ANSWERS = {
    "llama.cpp": answer_llama_cpp,
    "transformers": answer_transformers,
    "run_with_cache": keep_everything,
    "patterns_and_streams": keep_patterns_and_streams,
}


def main():
    gguf, directory, how, peer = sys.argv[1:5]
    if how == "answer":
        ANSWERS[peer](gguf, directory)
        return
    peers = {
        "llama.cpp": lambda: llama_cpp(gguf),
        "transformers": lambda: transformers(directory),
        "transformers-bf16": lambda: transformers_bf16(directory),
        "transformer-lens": lambda: transformer_lens(directory),
    }
    serve(peers[peer]())


if __name__ == "__main__":
    main()
