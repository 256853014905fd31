using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules.Adapters;

/// <summary>A layer of a model with what is put around it: the matrix as it acts is that of a model without adapters that computes the same.</summary>
/// <param name="Name">Of the layer: <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Adapter">What is put around it.</param>
internal abstract record AdaptedLayer(string Name, AdapterConfig Adapter)
{
    /// <summary>The matrix as it acts, of the shape that the layer's own has.</summary>
    public abstract Tensor Weight(Tape tape);

    /// <summary>The bias as it acts; none where there is none.</summary>
    public virtual Tensor Bias(Tape tape) => default;

    /// <summary>Computes one of them, outside of any pass.</summary>
    /// <param name="backend">Where the model is.</param>
    /// <param name="type">Of its parameters.</param>
    /// <param name="record">Which.</param>
    /// <param name="use">Gets it; it is gone afterwards.</param>
    public static void Compute(Backend backend, DType type, Func<Tape, Tensor> record, Action<View> use)
    {
        var tape = new Tape(backend, type);
        Tensor value = record(tape);
        tape.Keep(value);
        using var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(Math.Max(1, plan.ArenaBytes));
        plan.Bind(arena);
        plan.Run();
        use(plan[value]);
    }
}

/// <summary>A linear layer.</summary>
internal sealed record AdaptedLinear(string Name, AdapterConfig Adapter, Linear Layer) : AdaptedLayer(Name, Adapter)
{
    public override Tensor Weight(Tape tape) => Layer.Weight(tape);

    public override Tensor Bias(Tape tape) => Layer.Bias(tape);
}

/// <summary>Matrices of groups of rows.</summary>
internal sealed record AdaptedGroups(string Name, AdapterConfig Adapter, GroupedLinear Layer) : AdaptedLayer(Name, Adapter)
{
    public override Tensor Weight(Tape tape) => Layer.Weight(tape);
}

/// <summary>The vectors of tokens.</summary>
internal sealed record AdaptedEmbedding(string Name, AdapterConfig Adapter, Embedding Layer) : AdaptedLayer(Name, Adapter)
{
    public override Tensor Weight(Tape tape) => Layer.Weight(tape);
}
