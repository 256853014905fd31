using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Decoding: writes the rows of new tokens to a cache; see <see cref="CacheAppendCall"/>. It has no result: what is recorded after it reads the cache.</summary>
public sealed class CacheAppendOp(IKernel<CacheAppendCall> kernel) : Op
{
    public override string Name => "cache-append";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, G, D].</param>
    /// <param name="cache">[B, S, G, D], contiguous.</param>
    /// <param name="positions">Position of each row's first token, Int32 [B].</param>
    /// <param name="counts">Tokens of each row, Int32 [B].</param>
    /// <returns>The cache.</returns>
    public static Tensor Record(Tape tape, Tensor x, Tensor cache, Tensor positions, Tensor counts)
    {
        tape.Record(new CacheAppendOp(tape.Backend.Require<CacheAppendCall>()), [x, cache, positions, counts], ReadOnlySpan<(Layout, DType)>.Empty);
        return cache;
    }

    public override bool IsDifferentiable(int input) => false;

    public override bool HasSideEffects => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new CacheAppendCall(call.Input(0), call.Input(1), call.Input(2), call.Input(3)));
}
