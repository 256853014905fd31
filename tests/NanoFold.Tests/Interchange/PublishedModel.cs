using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>A model that the library transformers saved, as one of ours, and what that library computes of it.</summary>
internal sealed class PublishedModel : IDisposable
{
    private readonly ForeignModel _foreign;
    private readonly List<IDisposable> _owned = [];

    /// <param name="folder">Of the case.</param>
    /// <param name="backend">Where it runs.</param>
    /// <param name="change">Makes the model another one of the same parameters; null for what it is.</param>
    public PublishedModel(string folder, Backend backend, Func<ModelConfig, ModelConfig>? change = null)
    {
        Expected = SafeTensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        _owned.Add(Expected);
        _foreign = ForeignModel.TryOpen(folder)!;
        _owned.Add(_foreign);
        Model = new Transformer(change?.Invoke(_foreign.Config) ?? _foreign.Config, backend, new WeightSource(_foreign.Weights, folder), trains: null);
        _owned.Add(Model);
        Shape = [.. Expected["tokens"].Shape.Select(extent => (int)extent)];
        Tokens = [.. SharedData.Reals(Expected, "tokens").Select(token => (int)token)];
    }

    public SafeTensorsFile Expected { get; }

    public Transformer Model { get; }

    public ForeignModel Foreign => _foreign;

    /// <summary>B and T.</summary>
    public int[] Shape { get; }

    public int[] Tokens { get; }

    /// <summary>What <see cref="TrainedOff"/> found of gradients, each relative to the largest element of its tensor.</summary>
    public double GradientsOffRelatively { get; private set; }

    private PublishedArchitecture Architecture => PublishedArchitecture.All.Single(architecture => $"Hugging Face {architecture.Name}" == _foreign.Format);

    /// <summary>The largest difference of the logits.</summary>
    public double LogitsOff(params IEnumerable<ITapReader> readers)
    {
        var tape = new Tape(Model.Backend, taps: new TapSet(readers));
        Tensor logits = Model.RecordLogits(tape, Integers(tape, "tokens", Tokens));
        tape.Keep(logits);
        return Off(Host.Read(Model.Backend, Run(tape)[logits]), "logits");
    }

    /// <summary>The largest difference of any hidden state.</summary>
    /// <param name="read">All points of a pass over the tokens.</param>
    public double HiddenOff(Collector read)
    {
        int layers = Model.Config.Layers;
        double worst = Off(read["ln_final.hook_normalized"], $"hidden.{layers}");
        bool afterLayers = Architecture.Name.StartsWith("mamba", StringComparison.Ordinal);
        for (int i = 0; i < layers; i++)
        {
            string point = afterLayers ? $"blocks.{i}.hook_resid_post" : i == 0 ? "blocks.0.hook_resid_pre" : $"blocks.{i - 1}.hook_resid_post";
            worst = Math.Max(worst, Off(read[point], $"hidden.{i}"));
        }

        return worst;
    }

    /// <summary>The differences of loss and gradients, and of the norms of all gradients relative to them.</summary>
    public (double Loss, double Gradients, double Norms) TrainedOff()
    {
        int time = Shape[1];
        int[] targets = [.. Tokens.Select((_, i) => i % time < time - 1 ? Tokens[i + 1] : -1)];
        StepState state = Model.Backend.NewState();
        _owned.Add(state);
        state.Set(StepSlot.TargetCount, (long)targets.Count(target => target >= 0));
        state.Set(StepSlot.LossScale, 1.0);
        state.Set(StepSlot.MicroBatchCount, 1L);
        var tape = new Tape(Model.Backend, training: true) { State = state };
        Tensor loss = Model.RecordLoss(tape, Integers(tape, "tokens", Tokens), Integers(tape, "targets", targets)).Loss;
        Model.Store.ClearGradients();
        double lossOff = Off(Host.Read(Model.Backend, Run(tape)[loss]), "loss");
        // State, such as what a router is balanced by, has no gradient.
        var theirs = new RuledTensors(Architecture.Tensors(Model.Config).Where(rule => Model.Store.Find(rule.Ours) is Parameter), name => Array.ConvertAll(Host.Gradient(Model.Store, Model.Store[name]), g => (float)g));
        double gradients = 0, norms = 0;
        foreach ((string name, _) in theirs.Tensors)
        {
            double[] gradient = Array.ConvertAll(theirs.Read(name), g => (double)g);
            if (Expected.Find($"grad.{name}") is not null)
            {
                double off = Off(gradient, $"grad.{name}");
                gradients = Math.Max(gradients, off);
                GradientsOffRelatively = Math.Max(GradientsOffRelatively, off / SharedData.Reals(Expected, $"grad.{name}").Max(Math.Abs));
            }

            if (Expected.Find($"gradnorm.{name}") is null)
            {
                continue;
            }

            double expected = SharedData.Reals(Expected, $"gradnorm.{name}")[0], norm = Math.Sqrt(gradient.Sum(g => g * g));
            // Below 1e-6 · 1e4 the absolute tolerance is the larger one.
            norms = Math.Max(norms, Math.Abs(norm - expected) / Math.Max(expected, 1e-2));
        }

        string[] known = [.. theirs.Tensors.Select(tensor => $"gradnorm.{tensor.Name}")];
        Assert.That(Expected.Tensors.Select(tensor => tensor.Name).Where(name => name.StartsWith("gradnorm.", StringComparison.Ordinal)), Is.SubsetOf(known), "every tensor of theirs is one of ours");
        return (lossOff, gradients, norms);
    }

    /// <summary>What is most likely next, one token after the other through the cache, and the largest difference of the logits on the way.</summary>
    /// <param name="logits">What they are compared with.</param>
    /// <param name="along">The tokens to read, those that begin the text first.</param>
    public (int[] Tokens, double Off) Greedy(string logits, int[] along)
    {
        int begun = 8, vocab = Model.Config.Vocab;
        double[] expected = SharedData.Reals(Expected, logits);
        using var decoder = new Decoder(Model, 1);
        decoder.Begin(0, along.AsSpan(0, begun));
        var row = new float[vocab];
        List<int> found = [];
        double worst = 0;
        for (int step = 0; begun + step < along.Length; step++)
        {
            while (decoder.Run() > 0 && !decoder.HasLogits(0))
            {
            }

            decoder.ReadLogits(0, row);
            worst = Math.Max(worst, row.Index().Max(logit => Math.Abs(logit.Item - expected[(step * vocab) + logit.Index])));
            found.Add(Array.IndexOf(row, row.Max()));
            decoder.Append(0, along[begun + step]);
        }

        return ([.. found], worst);
    }

    /// <summary>The largest difference of the logits of other tokens, [1, T] or more rows.</summary>
    public double LogitsOff(string tokens, string logits)
    {
        int[] shape = [.. Expected[tokens].Shape.Select(extent => (int)extent)];
        return Off(Logits([.. SharedData.Reals(Expected, tokens).Select(token => (int)token)], shape), logits);
    }

    /// <summary>The largest difference where every step reads the whole text again, along <c>greedy</c>.</summary>
    public double RecomputedOff(string logits)
    {
        int[] along = [.. SharedData.Reals(Expected, "greedy").Select(token => (int)token)];
        int vocab = Model.Config.Vocab;
        double[] expected = SharedData.Reals(Expected, logits);
        return Enumerable.Range(0, expected.Length / vocab).Max(step =>
            Logits(along[..(8 + step)], [1, 8 + step])[^vocab..].Index().Max(logit => Math.Abs(logit.Item - expected[(step * vocab) + logit.Index])));
    }

    /// <summary>What is most likely next after all tokens of each row, all rows beside each other through the cache, row after row.</summary>
    public int[] Continued(int count)
    {
        (int rows, int time) = (Shape[0], Shape[1]);
        var logits = new float[Model.Config.Vocab];
        var found = new int[rows * count];
        using var decoder = new Decoder(Model, rows);
        for (int row = 0; row < rows; row++)
        {
            decoder.Begin(row, Tokens.AsSpan(row * time, time));
        }

        for (int step = 0; step < count; step++)
        {
            while (!Enumerable.Range(0, rows).All(decoder.HasLogits) && decoder.Run() > 0)
            {
            }

            for (int row = 0; row < rows; row++)
            {
                decoder.ReadLogits(row, logits);
                int next = found[(row * count) + step] = Array.IndexOf(logits, logits.Max());
                decoder.Append(row, next);
            }
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

    private double Off(double[] actual, string name)
    {
        double[] expected = SharedData.Reals(Expected, name);
        Assert.That(actual, Has.Length.EqualTo(expected.Length), name);
        return actual.Zip(expected, (a, b) => double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs(a - b)).Max();
    }

    private double[] Logits(int[] tokens, int[] shape)
    {
        var tape = new Tape(Model.Backend);
        Tensor logits = Model.RecordLogits(tape, tape.External("tokens", Host.New(Model.Backend, shape, tokens, _owned)));
        tape.Keep(logits);
        return Host.Read(Model.Backend, Run(tape)[logits]);
    }

    private Tensor Integers(Tape tape, string name, int[] values) => tape.External(name, Host.New(Model.Backend, Shape, values, _owned));

    private Plan Run(Tape tape)
    {
        var plan = new Plan(tape);
        DeviceBuffer arena = Model.Backend.Allocate(plan.ArenaBytes);
        _owned.Add(arena);
        Host.FillNaN(Model.Backend, arena);
        plan.Bind(arena);
        plan.Run();
        return plan;
    }
}
