namespace NanoFold.Tests.Suites.Published;

/// <summary>A folder of cases that other software computed, and how its section of docs/compatibility.md begins.</summary>
/// <param name="Folder">Its name below <c>peers</c>.</param>
/// <param name="Title">Of the section.</param>
/// <param name="About">What was computed, and by which software.</param>
internal sealed record CompatibilityPart(string Folder, string Title, string About)
{
    public static IReadOnlyList<CompatibilityPart> All { get; } =
    [
        new("models", "Models of attention", "Small seeded models as transformers saves and computes them, float32 and 16-bit files, shards, every scaling of rotary positions. Largest absolute differences. Written again, each folder has the same tensors bit for bit."),
        new("mixer-models", "Models with other mixers", "Small seeded models of transformers whose layers are something else than plain attention. Gradients relative to the largest element of their tensor."),
        new("mixer-functions", "Mixers as functions", "Outputs, final states and gradients of flash-linear-attention's naive functions in float64, through the kernels that training uses; relative to the largest magnitude."),
        new("tokenizers", "Tokenizers", "Files written by tokenizers, sentencepiece and tiktoken, and the ids that these give for hard texts; the same ids after the tokenizer was written by this program."),
        new("chat", "Chat templates", "Renderings of transformers with Jinja2: texts, kinds of errors, and which tokens are the assistant's."),
        new("gguf", "GGUF", "Files that llama.cpp's tools wrote: logits beside transformers on the values of the file (absolute), ids beside llama.cpp, values of each type of block beside ggml."),
        new("smollm2", "A real model: SmolLM2-135M-Instruct", "Its Q4_1 file beside transformers on the same values."),
        new("adapters", "Adapters", "Folders that peft saved: logits of the adapted and the merged model, merged matrices, loss, gradients, ten steps of AdamW. Logits and gradients relative to the largest magnitude."),
        new("preference", "Conversations and preferences", "Losses, rewards and gradients of trl and of its published formulas."),
        new("scoring", "Scoring", "Log-likelihoods and scores of lm-evaluation-harness."),
        new("taps", "Points of a model", "Values at every point, ablations, patches and first-order estimates of TransformerLens; values relative to the largest magnitude."),
        new("optimizers", "Optimizers", "Three parameters after each of 20 steps along given gradients, in PyTorch and pytorch_optimizer; Newton–Schulz of its Muon is in bfloat16 there. Factors of schedules from the end of the warm-up on."),
        new("geometry", "Geometry", "The stream of a small trained model as DADApy, scikit-dimension, SciPy and ripser measure it; relative."),
        new("tasks", "Synthetic tasks", "Rows of published generators: the same rules hold for theirs and for ours, and what is left to chance has the same means (within five standard errors)."),
    ];
}
