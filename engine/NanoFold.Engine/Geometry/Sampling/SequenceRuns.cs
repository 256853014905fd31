using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Runs sequences of tokens of any lengths through a model, those of one length together, and hands on what is at points of it.</summary>
internal sealed class SequenceRuns
{
    // Tokens of a batch.
    private const int MostTokens = 4096;

    /// <summary>Told what is at a point of one sequence.</summary>
    /// <param name="sequence">Its number.</param>
    /// <param name="point">The point's full name.</param>
    /// <param name="values">[T, D].</param>
    public delegate void Reading(int sequence, string point, ReadOnlySpan<float> values);

    /// <summary>Full names of points [B, T, …]; what the model does not have is left out.</summary>
    public IReadOnlyList<string> Points { get; init; } = [];

    /// <summary>Is told what is there.</summary>
    public Reading? Read { get; init; }

    /// <summary>What is edited on the way.</summary>
    public IReadOnlyList<ITapEditor> Editors { get; init; } = [];

    /// <summary>Is told −ln p of each token given those before it, [T], 0 of the first; null where nobody asks, so that the head is left out.</summary>
    public Action<int, float[]>? ReadLosses { get; init; }

    /// <summary>Why a model runs no sequences of somebody's choice, or null.</summary>
    public static string? WhyNot(Transformer model) => model.Config.Inputs > 0 ? "it reads features, no tokens"
        : model.Config.Outputs > 0 ? "it has no head over a vocabulary"
        : model.Config.Visibility == VisibilityKind.Prefix ? "its visibility is a prefix, which such sequences do not have"
        : null;

    /// <summary>Runs them.</summary>
    /// <param name="model">Which model.</param>
    /// <param name="sequences">Tokens, each as long as the context at most.</param>
    public void Run(Transformer model, IReadOnlyList<int[]> sequences)
    {
        foreach (IGrouping<int, int> group in Enumerable.Range(0, sequences.Count).Where(i => sequences[i].Length > 0).GroupBy(i => sequences[i].Length).OrderBy(group => group.Key))
        {
            foreach (int[] numbers in group.Chunk(Math.Max(1, MostTokens / group.Key)))
            {
                RunBatch(model, numbers, [.. numbers.SelectMany(i => sequences[i])], group.Key);
            }
        }
    }

    private void RunBatch(Transformer model, int[] numbers, int[] tokens, int time)
    {
        Backend backend = model.Backend;
        using DeviceBuffer memory = backend.Allocate(2L * tokens.Length * sizeof(int));
        View input = new(memory, 0, Layout.Of(numbers.Length, time), DType.Int32), next = new(memory, tokens.Length, input.Layout, DType.Int32);
        backend.Upload<int>(tokens, input);
        backend.Upload<int>([.. tokens.Select((_, i) => (i + 1) % time > 0 ? tokens[i + 1] : -1)], next);
        using StepState state = backend.NewState();
        using var arena = new SharedArena(backend);
        var tape = new Tape(backend, taps: new TapSet(Points.Select(point => new NetworkPass.Reader(point, (name, values, _) => Hand(numbers, name, values))), Editors)) { State = state };
        Tensor x = model.RecordBody(tape, tape.External("tokens", input)), losses = default;
        if (ReadLosses is not null)
        {
            losses = model.Language.Loss(tape, x, tape.External("targets", next)).Losses;
        }

        Tensor wanted = losses.IsNone ? x : losses;
        tape.Keep(wanted);
        using var plan = new Plan(tape);
        arena.Bind(plan);
        plan.Run();
        if (ReadLosses is not null)
        {
            var values = new float[tokens.Length];
            backend.Read(plan[wanted], values.AsSpan());
            for (int i = 0; i < numbers.Length; i++)
            {
                ReadLosses(numbers[i], [0, .. values.AsSpan(i * time, time - 1)]);
            }
        }
    }

    private void Hand(int[] numbers, string name, float[] values)
    {
        int size = values.Length / numbers.Length;
        for (int i = 0; i < numbers.Length; i++)
        {
            Read?.Invoke(numbers[i], name, values.AsSpan(i * size, size));
        }
    }
}
