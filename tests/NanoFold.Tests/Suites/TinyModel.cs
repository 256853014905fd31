using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Suites;

/// <summary>A small model with all its parameters away from their special initial values, and a fixed batch of tokens.</summary>
internal sealed class TinyModel : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly Backend _backend;
    private readonly DType _type;

    public TinyModel(
        ModelConfig config, Backend backend, DType type = DType.Float32, int batch = 2, bool perturbed = true, double lossScale = 1, NameGlobs? trains = null)
    {
        _backend = backend;
        _type = type;
        Batch = batch;
        Model = new Transformer(config, backend, new SeedSource(11), trains, type.Sum());
        _owned.Add(Model);
        Tokens = Numbers.Integers("tokens", (long)batch * Time, 0, config.Vocab);
        // Some places have no target.
        Targets = [.. Numbers.Integers("targets", (long)batch * Time, 0, config.Vocab).Select((t, i) => i % 7 == 3 ? -1 : t)];
        if (perturbed)
        {
            Perturb();
        }

        State = backend.NewState();
        _owned.Add(State);
        SetTargets(State);
        State.Set(StepSlot.LossScale, lossScale);
    }

    public Transformer Model { get; }

    /// <summary>Of the tapes that are made here.</summary>
    public StepState State { get; }

    public ParameterStore Store => Model.Store;

    public int Batch { get; }

    public int Time => Model.Config.Context;

    public int[] Tokens { get; }

    public int[] Targets { get; }

    /// <summary>First tokens of each row that all its tokens see, where the model's visibility is a prefix; otherwise null.</summary>
    public int[]? Prefixes => Model.Config.Visibility == VisibilityKind.Prefix ? [.. Enumerable.Range(0, Batch).Select(row => 3 + (4 * row))] : null;

    /// <summary>Records the loss of the batch.</summary>
    public void RecordLoss(Tape tape) => RecordLoss(tape, null);

    public Tensor RecordLoss(Tape tape, int[]? documents)
    {
        SetTargets(tape.State);
        return Model.RecordLoss(tape, Integers(tape, "tokens", Tokens), Integers(tape, "targets", Targets), documents is null ? default : Integers(tape, "documents", documents), RecordPrefixes(tape)).Loss;
    }

    public Tape TrainingTape(TapSet? taps = null, int[]? documents = null)
    {
        var tape = new Tape(_backend, _type, training: true, taps) { State = State };
        RecordLoss(tape, documents);
        return tape;
    }

    /// <summary>Loss, with the terms of routers, and all gradients of one run of a training tape.</summary>
    public (double Loss, double[] Gradients) Train(TapSet? taps = null, bool recompute = false, int[]? documents = null) =>
        Train(new Plan(TrainingTape(taps, documents), recompute));

    public (double Loss, double[] Gradients) Train(Plan plan)
    {
        using DeviceBuffer arena = _backend.Allocate(plan.ArenaBytes);
        Host.FillNaN(_backend, arena);
        plan.Bind(arena);
        _backend.Fill(Store.AllGradients, 0);
        plan.Run();
        return (plan.Tape.Losses.Sum(loss => Host.Read(_backend, plan[loss])[0]), Gradients());
    }

    /// <summary>All gradients, in the order of the parameters.</summary>
    public double[] Gradients() => [.. Store.Parameters.Where(p => !p.Frozen).SelectMany(p => Host.Gradient(Store, p))];

    /// <summary>Logits [B · T · V] of tokens [B, T].</summary>
    public double[] Logits(int[] tokens, int[]? documents = null, TapSet? taps = null)
    {
        int time = tokens.Length / Batch;
        var tape = new Tape(_backend, _type, training: false, taps);
        Tensor logits = Model.RecordLogits(tape, Integers(tape, "tokens", tokens, time), documents is null ? default : Integers(tape, "documents", documents, time), RecordPrefixes(tape));
        tape.Keep(logits);
        var plan = new Plan(tape);
        using DeviceBuffer arena = _backend.Allocate(plan.ArenaBytes);
        Host.FillNaN(_backend, arena);
        plan.Bind(arena);
        plan.Run();
        return Host.Read(_backend, plan[logits]);
    }

    public Tensor Integers(Tape tape, string name, int[] values, int? time = null) =>
        tape.External(name, Host.New(_backend, [Batch, time ?? Time], values, _owned));

    private Tensor RecordPrefixes(Tape tape) => Prefixes is { } lengths ? tape.External("prefixes", Host.New(_backend, [Batch], lengths, _owned)) : default;

    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }
    }

    private void SetTargets(StepState state)
    {
        state.Set(StepSlot.TargetCount, (long)Targets.Count(t => t >= 0));
        state.Set(StepSlot.RandomKey, 0x5eedL);
    }

    private void Perturb()
    {
        foreach (Parameter parameter in Store.Parameters)
        {
            double[] values = Host.Read(Store, parameter);
            double[] noise = Numbers.Uniform(parameter.Name, values.Length, -0.25, 0.25);
            Host.Write(Store, parameter, [.. values.Zip(noise, (v, n) => (double)(float)(v + n))]);
        }
    }
}
