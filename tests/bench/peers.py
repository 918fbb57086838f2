#!/usr/bin/env python3
"""The workloads of forward.rs on peers that are not written in Rust; run by hand, right before or after it.

usage: peers.py MODEL.gguf HF_DIRECTORY   (torch, transformers, transformer-lens, llama-cpp-python)

Two threads, one warm-up, median of three; tokens per second. Start to answer is a whole process each.
"""

import statistics
import subprocess
import sys
import time

PREFILL, PROMPT, DECODE, ROUNDS = 512, 16, 128, 3


def ids(n):
    return [1000 + (i * 7919) % 20000 for i in range(n)]


def rate(name, tokens, run):
    times = []
    for round in range(ROUNDS + 1):
        start = time.perf_counter()
        run()
        if round:
            times.append(time.perf_counter() - start)
    print(f"{name:40} {tokens / statistics.median(times):8.0f} tokens/s", flush=True)


def transformers(directory):
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(2)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()

    @torch.no_grad()
    def prefill():
        model(torch.tensor([ids(PREFILL)]), logits_to_keep=1)

    @torch.no_grad()
    def decode():
        cache = model(torch.tensor([ids(PROMPT)]), use_cache=True, logits_to_keep=1).past_key_values
        for token in ids(DECODE):
            cache = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True).past_key_values

    @torch.no_grad()
    def capture():
        model(torch.tensor([ids(PREFILL)]), output_attentions=True, output_hidden_states=True)

    rate("transformers f32 prefill 512", PREFILL, prefill)
    rate("transformers f32 decode 128", DECODE, decode)
    rate("transformers f32 512, attentions and states", PREFILL, capture)


def transformer_lens(directory):
    import torch
    from transformer_lens.model_bridge import TransformerBridge

    torch.set_num_threads(2)
    model = TransformerBridge.boot_transformers(directory, dtype=torch.float32)
    tokens = torch.tensor([ids(PREFILL)])
    with torch.no_grad():
        rate("TransformerLens f32 512, run_with_cache", PREFILL, lambda: model.run_with_cache(tokens))


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

    rate("llama.cpp Q4_1 prefill 512", PREFILL, prefill)
    rate("llama.cpp Q4_1 decode 128", DECODE, decode)


def main():
    peers = {"transformers": transformers, "transformer-lens": transformer_lens, "llama.cpp": llama_cpp}
    if len(sys.argv) == 4:
        return peers[sys.argv[3]](sys.argv[2] if sys.argv[3] != "llama.cpp" else sys.argv[1])
    # one process a peer: their thread pools do not meet
    for name in peers:
        done = subprocess.run([sys.executable, __file__, *sys.argv[1:3], name], capture_output=True, text=True)
        print(done.stdout, end="")
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()
