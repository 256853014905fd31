using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Words;

/// <summary>What vectors of the stream say to the head: logits of all tokens, [n, V], through the gain of the last norm but without its division.</summary>
internal sealed class VocabularyReadOut
{
    private const string Gain = "model.norm.weight", Head = "lm_head.weight", Embedding = "model.embed_tokens.weight";
    private const int Rows = 1024;

    // Logits that are held at a time.
    private const int MostHeld = 1 << 24;

    private readonly Transformer _model;
    private readonly float[]? _gain;

    public VocabularyReadOut(Transformer model)
    {
        _model = model;
        _gain = model.Store.Find(Gain) is { } gain ? [.. Read(model.Store, gain).Select(g => model.Config.NormGainFromOne ? 1 + g : g)] : null;
    }

    /// <summary>Told of the logits of one vector.</summary>
    public delegate void Reading(int vector, ReadOnlySpan<float> logits);

    /// <summary>V.</summary>
    public int Vocab => _model.Config.Vocab;

    /// <summary>The embedding as it acts, [V, C].</summary>
    public static float[] EmbeddingOf(Transformer model) => Acting(model, Embedding);

    /// <summary>The rows of the head as it acts, [V, C]: those of the embedding, without an adapter of that, where they are tied.</summary>
    public static float[] HeadOf(Transformer model) => model.Store.Find(Head) is null ? Read(model.Store, model.Store[Embedding]) : Acting(model, Head);

    /// <summary>Logits of vectors [n, C].</summary>
    public float[] Logits(ReadOnlySpan<float> vectors)
    {
        var logits = new float[checked(vectors.Length / _model.Config.Width * Vocab)];
        Each(vectors, (vector, found) => found.CopyTo(logits.AsSpan(vector * Vocab)));
        return logits;
    }

    /// <summary>Tells of the logits of each of some vectors [n, C], in their order; few are held at a time.</summary>
    public void Each(ReadOnlySpan<float> vectors, Reading read)
    {
        int width = _model.Config.Width, count = vectors.Length / width, most = Math.Clamp(MostHeld / Vocab, 1, Rows);
        var logits = new float[Math.Min(most, count) * Vocab];
        for (int first = 0; first < count; first += most)
        {
            int n = Math.Min(most, count - first);
            Run(vectors.Slice(first * width, n * width), n, logits.AsSpan(0, n * Vocab));
            for (int i = 0; i < n; i++)
            {
                read(first + i, logits.AsSpan(i * Vocab, Vocab));
            }
        }
    }

    /// <summary>The direction, of length 1, along which a token's logit grows fastest.</summary>
    public float[] Direction(int token)
    {
        int width = _model.Config.Width;
        float[] direction = HeadOf(_model).AsSpan(token * width, width).ToArray();
        double squares = 0;
        for (int i = 0; i < width; i++)
        {
            direction[i] *= _gain?[i] ?? 1;
            squares += (double)direction[i] * direction[i];
        }

        float norm = (float)Math.Sqrt(squares);
        return norm > 0 ? [.. direction.Select(value => value / norm)] : direction;
    }

    // With what is put around it.
    private static float[] Acting(Transformer model, string name)
    {
        if (model.Adapters?.Layers.FirstOrDefault(layer => $"{layer.Name}.weight" == name) is not { } adapted)
        {
            return Read(model.Store, model.Store[name]);
        }

        var values = new float[model.Store[name].Layout.Count];
        AdaptedLayer.Compute(model.Backend, DType.Float32, adapted.Weight, matrix => model.Backend.Read(matrix, values));
        return values;
    }

    /// <summary>The values of a parameter.</summary>
    public static float[] Read(ParameterStore store, StoredTensor parameter)
    {
        View view = store.Values(parameter);
        var values = new float[view.Count];
        store.Backend.Read(view, values.AsSpan());
        return values;
    }

    private void Run(ReadOnlySpan<float> vectors, int count, Span<float> logits)
    {
        int width = _model.Config.Width;
        Backend backend = _model.Backend;
        float[] scaled = vectors.ToArray();
        for (int i = 0; i < scaled.Length && _gain is not null; i++)
        {
            scaled[i] *= _gain[i % width];
        }

        using DeviceBuffer memory = backend.Allocate((long)scaled.Length * sizeof(float));
        var view = new View(memory, 0, Layout.Of(1, count, width), DType.Float32);
        backend.Write(scaled, view);
        using StepState state = backend.NewState();
        using var arena = new SharedArena(backend);
        var tape = new Tape(backend) { State = state };
        Tensor found = _model.Language.Shares(tape, tape.External("vectors", view));
        tape.Keep(found);
        using var plan = new Plan(tape);
        arena.Bind(plan);
        plan.Run();
        backend.Read(plan[found], logits);
    }
}
