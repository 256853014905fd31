using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>What a model of another program computes here.</summary>
internal sealed class ForeignNumbers : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    /// <param name="foreign">The model.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="context">A shorter context than its own, for memory; 0 for its own.</param>
    public ForeignNumbers(ForeignModel foreign, Backend backend, int context = 0)
    {
        Model = new Transformer(context > 0 ? foreign.Config with { Context = context } : foreign.Config, backend, new WeightSource(foreign.Weights, foreign.Path), trains: null);
        _owned.Add(Model);
    }

    public Transformer Model { get; }

    /// <summary>Whole numbers of 32 bits.</summary>
    public static int[] Integers(SafeTensorsFile file, string name)
    {
        int[] values = new int[file[name].Count];
        file.Read(name, values.AsSpan());
        return values;
    }

    /// <summary>The logits of a text, [T, V].</summary>
    public double[] Logits(int[] tokens)
    {
        var tape = new Tape(Model.Backend);
        Tensor logits = Model.RecordLogits(tape, tape.External("tokens", Host.New(Model.Backend, [1, tokens.Length], tokens, _owned)));
        tape.Keep(logits);
        var plan = new Plan(tape);
        using DeviceBuffer arena = Model.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        return Host.Read(Model.Backend, plan[logits]);
    }

    /// <summary>The largest difference of the logits of a text.</summary>
    public double LogitsOff(int[] tokens, double[] expected)
    {
        double[] actual = Logits(tokens);
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        return actual.Zip(expected, (a, b) => double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b)).Max();
    }

    /// <summary>What is most likely next, one token after the other through the cache.</summary>
    public int[] Greedy(int[] prompt, int count)
    {
        using var decoder = new Decoder(Model, 1);
        decoder.Begin(0, prompt);
        float[] row = new float[Model.Config.Vocab];
        int[] found = new int[count];
        for (int i = 0; i < count; i++)
        {
            while (decoder.Run() > 0 && !decoder.HasLogits(0))
            {
            }

            decoder.ReadLogits(0, row);
            found[i] = Array.IndexOf(row, row.Max());
            decoder.Append(0, found[i]);
        }

        return found;
    }

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }
    }
}
