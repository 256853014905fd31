using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>One shape of causal attention: q [B, T, H, D], k and v [B, T, G, D].</summary>
/// <param name="Context">T.</param>
/// <param name="Heads">H, a multiple of G.</param>
/// <param name="KvHeads">G.</param>
/// <param name="HeadDim">D.</param>
/// <param name="Batch">B.</param>
/// <param name="Window">Keys back from and including the query's own, 0 for all.</param>
/// <param name="Documents">Tokens of a document, of which a sequence has several that see nothing of each other; 0 for one.</param>
public sealed record AttentionCase(int Context, int Heads, int KvHeads, int HeadDim, int Batch, int Window = 0, int Documents = 0)
{
    /// <summary>Elements of q.</summary>
    public long Elements => (long)Batch * Context * Heads * HeadDim;

    /// <summary>FLOPs of both passes of the fused kernel, whatever computes them: of the pairs that the mask leaves.</summary>
    public double Flops
    {
        get
        {
            if (Documents > 0)
            {
                // Documents are as many sequences, the last one of a row a shorter one.
                int rest = Context % Documents;
                double whole = Context < Documents ? 0 : (this with { Context = Documents, Batch = Batch * (Context / Documents), Documents = 0 }).Flops;
                return rest == 0 ? whole : whole + (this with { Context = rest, Documents = 0 }).Flops;
            }

            using var dry = new DryRun();
            using ParameterStore operands = NewOperands(dry.Backend);
            return dry.Of(Record(operands, training: true)).Sum(call => call.Cost.Flops);
        }
    }

    /// <summary>q, k and v as parameters of random numbers.</summary>
    internal ParameterStore NewOperands(Backend backend)
    {
        var store = new ParameterStore(backend);
        foreach ((string name, int heads) in new[] { ("q", Heads), ("k", KvHeads), ("v", KvHeads) })
        {
            store.Add(name, Layout.Of(Batch, Context, heads, HeadDim), ParameterRole.Matrix, Initializer.Normal(1));
        }

        store.Allocate(seed: 1);
        return store;
    }

    /// <summary>The document of each token, [B, T].</summary>
    internal int[] DocumentNumbers() => [.. Enumerable.Range(0, Batch * Context).Select(i => i % Context / Documents)];

    /// <summary>The op on <see cref="NewOperands"/>, forward or both passes.</summary>
    /// <param name="store">The operands.</param>
    /// <param name="training">Both passes.</param>
    /// <param name="documents"><see cref="DocumentNumbers"/>, or none.</param>
    internal Plan Record(ParameterStore store, bool training, in View documents = default)
    {
        var tape = new Tape(store.Backend, training: training);
        Visibility visible = Visibility.Causal with { Window = Window, Documents = documents.IsNone ? default : tape.External("documents", documents) };
        Tensor y = AttentionOp.Record(tape, tape.Use(store["q"]), tape.Use(store["k"]), tape.Use(store["v"]), 1 / Math.Sqrt(HeadDim), visible);
        if (training)
        {
            // The sum of the result: its gradient is 1 everywhere, which costs no op of its own.
            tape.AddLoss(y);
        }

        return new Plan(tape);
    }
}
