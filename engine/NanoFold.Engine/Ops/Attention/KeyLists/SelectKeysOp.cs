using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>How many keys a query keeps.</summary>
/// <param name="Most">At most so many; blocks where they are kept.</param>
/// <param name="Mass">No more than it takes for this share of the softmax's weight; 0 for as many as there may be.</param>
/// <param name="Floor">But no fewer than this.</param>
public readonly record struct KeyBudget(int Most, double Mass = 0, int Floor = 0);

/// <summary>Lists of keys, and what they are lists of.</summary>
/// <param name="Lists">Int32 [B, L, T, n]; see <see cref="KeptKeys"/>.</param>
/// <param name="KeySize">1, or keys of a block.</param>
public readonly record struct KeyList(Tensor Lists, int KeySize = 1)
{
    public bool IsNone => Lists.IsNone;
}

/// <summary>The keys that each query keeps of those it sees, by score; see <see cref="SelectKeysCall"/>. Choices are constants in the gradient.</summary>
public sealed class SelectKeysOp(IKernel<SelectKeysCall> kernel, double scale, KeyBudget budget, int keySize, Visibility visibility) : Op
{
    public override string Name => "select-keys";

    /// <param name="tape">Where to record.</param>
    /// <param name="q">[B, T, H, D].</param>
    /// <param name="k">[B, S, G, D].</param>
    /// <param name="weights">[B, T, H] of an indexer, or none: each head then keeps keys of its own.</param>
    /// <param name="scale">Factor on the scores.</param>
    /// <param name="budget">How many.</param>
    /// <param name="visibility">What a query sees.</param>
    /// <param name="keySize">1, or keys of a block where blocks are kept.</param>
    /// <param name="positions">Decoding: position of each row's first query, where k is a cache; otherwise none.</param>
    /// <param name="counts">Decoding: queries of each row.</param>
    public static KeyList Record(
        Tape tape, Tensor q, Tensor k, Tensor weights, double scale, KeyBudget budget, Visibility visibility, int keySize = 1, Tensor positions = default, Tensor counts = default)
    {
        int most = Math.Min(budget.Most, (k[1] + keySize - 1) / keySize);
        var op = new SelectKeysOp(tape.Backend.Require<SelectKeysCall>(), scale, budget, keySize, visibility);
        Layout lists = Layout.Of(q[0], weights.IsNone ? q[2] : 1, q[1], most);
        return new KeyList(tape.Record(op, [q, k, weights, positions, counts, .. visibility.Inputs], [(lists, DType.Int32)])[0], keySize);
    }

    public override bool IsDifferentiable(int input) => false;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new SelectKeysCall
    {
        Q = call.Input(0),
        K = call.Input(1),
        Weights = call.Input(2),
        Positions = call.Input(3),
        Counts = call.Input(4),
        Kept = call.Output(0),
        Scale = scale,
        Visible = visibility.At(call, 5),
        Mass = budget.Mass,
        Floor = budget.Floor,
        KeySize = keySize,
    });
}
