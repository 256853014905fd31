using System.Text.Json.Nodes;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary>
/// A kind of model that llama.cpp knows: its metadata in the keys that transformers has for the same, and the names and layouts of its tensors beside theirs. An architecture
/// is a record in a file, with a line in <see cref="All"/>.
/// </summary>
internal abstract record GgufArchitecture
{
    private const string Parts = "split.count";
    private const int MostLayers = 4096, MostHeads = 4096, MostWidth = 1 << 24;

    /// <summary>All that are supported.</summary>
    public static IReadOnlyList<GgufArchitecture> All { get; } =
    [
        new GgufLlama(),
        new GgufQwen("qwen2", "qwen2"),
        new GgufQwen("qwen3", "qwen3"),
        new GgufQwen("qwen3moe", "qwen3_moe"),
        new GgufGemma("gemma", "gemma"),
        new GgufGemma("gemma2", "gemma2"),
        new GgufGemma("gemma3", "gemma3_text"),
        new GgufPhi3(),
        new GgufOlmo2(),
        new GgufGpt2(),
        new GgufNeoX(),
        new GgufMamba(),
    ];

    /// <summary>Its <c>general.architecture</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Tensors that a file may hold besides and that are no weights.</summary>
    public virtual IEnumerable<string> LeftOut => [];

    /// <summary>Parts of names of transformers, and what stands for them here; the first that fits is taken.</summary>
    protected abstract IReadOnlyList<(string Theirs, string Here)> Names { get; }

    /// <summary>The configuration as transformers would have it.</summary>
    /// <param name="file">Whose metadata are read; each key that is asked for counts as known.</param>
    /// <param name="vocab">Rows of the embedding.</param>
    /// <exception cref="UserException">A key is missing, wrong, or asks for what is not supported; names it.</exception>
    public abstract JsonObject Keys(GgufFile file, int vocab);

    /// <summary>The tensors as they are read: some values are stored otherwise than transformers has them.</summary>
    public virtual ITensorFiles Files(GgufFile file) => file;

    /// <summary>A rule of transformers with the names and layouts of the file.</summary>
    /// <param name="rule">How our parameter is made of tensors of transformers.</param>
    /// <param name="file">For what there is.</param>
    /// <param name="config">The model.</param>
    public TensorRule Rule(TensorRule rule, ITensorFiles file, ModelConfig config) => rule with { Parts = [.. rule.Parts.Select(part => Part(part, file, config))] };

    /// <summary>The architecture that a file names.</summary>
    /// <exception cref="UserException">It names none, or one that is not supported.</exception>
    public static GgufArchitecture Of(GgufMetadata metadata)
    {
        if (metadata.Find(Parts) is { Integer: > 1 })
        {
            throw metadata.Fault(Parts, "a model in several files is not supported; join them first: llama-gguf-split --merge FIRST-FILE OUT.gguf");
        }

        string name = metadata.Architecture;
        return All.FirstOrDefault(architecture => architecture.Name == name)
            ?? throw metadata.Fault("general.architecture", $"is not supported; those that are: {string.Join(", ", All.Select(architecture => architecture.Name))}");
    }

    /// <summary>A part with its name and shape here.</summary>
    protected virtual TensorPart Part(TensorPart part, ITensorFiles file, ModelConfig config) => part with { Theirs = NameOf(part.Theirs) };

    /// <summary>The name here of a tensor of transformers.</summary>
    protected string NameOf(string theirs)
    {
        foreach ((string from, string to) in Names)
        {
            theirs = theirs.Replace(from, to, StringComparison.Ordinal);
        }

        return theirs;
    }

    /// <summary>Rows that lie in another order: <paramref name="place"/> says where each of theirs is.</summary>
    protected static TensorPart Reordered(TensorPart part, Func<long, long> place)
    {
        List<RowRun> runs = [];
        foreach (RowRun run in part.Runs)
        {
            for (long row = run.Start; row < run.Start + run.Count; row++)
            {
                long at = place(row);
                if (runs is [.., { } last] && last.Start + last.Count == at)
                {
                    runs[^1] = last with { Count = last.Count + 1 };
                }
                else
                {
                    runs.Add(new RowRun(at, 1));
                }
            }
        }

        return part with { Runs = runs };
    }

    /// <summary>An expert's matrix as a part of the stack of all.</summary>
    protected static TensorPart OfStack(TensorPart part, string stack, int expert, int experts) => part with
    {
        Theirs = stack,
        Shape = [experts, .. part.Shape],
        Runs = [.. part.Runs.Select(run => run with { Start = run.Start + (expert * part.Shape[0]) })],
    };

    /// <summary>Keys that all transformers have, by the names of Llama.</summary>
    /// <param name="type">The <c>model_type</c>.</param>
    /// <param name="file">Whose metadata are read.</param>
    /// <param name="vocab">Rows of the embedding.</param>
    /// <param name="epsilonHere">What norms add, here.</param>
    /// <param name="epsilonThere">The same, there.</param>
    protected static JsonObject Common(string type, GgufFile file, int vocab, string epsilonHere = "attention.layer_norm_rms_epsilon", string epsilonThere = "rms_norm_eps")
    {
        GgufMetadata here = file.Metadata;
        if (here.Has("vocab_size") && here.Count("vocab_size", int.MaxValue) != vocab)
        {
            throw here.Fault(here.Full("vocab_size"), $"the embedding has {vocab} rows");
        }

        int width = here.Count("embedding_length", MostWidth), heads = here.Count("attention.head_count", MostHeads);
        if (!here.Has("attention.key_length") && width % heads != 0)
        {
            throw here.Fault(here.Full("attention.head_count"), $"does not divide the width {width}");
        }

        int head = here.Count("attention.key_length", MostWidth, width / heads), shared = here.Count("attention.head_count_kv", MostHeads, heads);
        if (heads % shared != 0)
        {
            throw here.Fault(here.Full("attention.head_count_kv"), $"does not divide {heads} heads");
        }

        return here.Count("attention.value_length", MostWidth, head) != head
            ? throw here.Fault(here.Full("attention.value_length"), $"values of another width than keys ({head}) are not supported")
            : new JsonObject
            {
                ["model_type"] = type,
                ["vocab_size"] = vocab,
                ["hidden_size"] = width,
                ["intermediate_size"] = here.Count("feed_forward_length", MostWidth),
                ["num_hidden_layers"] = here.Count("block_count", MostLayers),
                ["num_attention_heads"] = heads,
                ["num_key_value_heads"] = shared,
                ["head_dim"] = head,
                ["max_position_embeddings"] = here.Count("context_length", int.MaxValue),
                [epsilonThere] = here.Number(epsilonHere),
                ["tie_word_embeddings"] = file.Find("output.weight") is null,
            };
    }
}
