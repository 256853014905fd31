using NanoFold.Engine.Autograd;
using NanoFold.Kernels;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Engine.Benchmarks;

/// <summary>One shape of causal attention: q [B, T, H, D], k and v [B, T, G, D].</summary>
/// <param name="Context">T.</param>
/// <param name="Heads">H, a multiple of G.</param>
/// <param name="KvHeads">G.</param>
/// <param name="HeadDim">D.</param>
/// <param name="Batch">B.</param>
/// <param name="Window">Keys back from and including the query's own, 0 for all.</param>
public sealed record AttentionCase(int Context, int Heads, int KvHeads, int HeadDim, int Batch, int Window = 0)
{
    /// <summary>Elements of q.</summary>
    public long Elements => (long)Batch * Context * Heads * HeadDim;

    /// <summary>FLOPs of both passes of the fused kernel, whatever computes it: of the pairs that the mask leaves.</summary>
    public double Flops
    {
        get
        {
            using var dry = new DryRun();
            View Of(params ReadOnlySpan<int> shape)
            {
                Layout layout = Layout.Of(shape);
                return new View(dry.Backend.Allocate(layout.Count * sizeof(float)), 0, layout, DType.Float32);
            }

            View q = Of(Batch, Context, Heads, HeadDim), k = Of(Batch, Context, KvHeads, HeadDim);
            return dry.Of(() =>
            {
                var args = new AttentionArgs { Q = q, K = k, V = k, Y = q, LogSumExp = Of(Batch, Heads, Context), Scale = 1, Mask = new AttentionMask { Causal = true, Window = Window } };
                IFusedAttention kernel = dry.Backend.RequireInterface<IFusedAttention>();
                kernel.Forward(args);
                kernel.Backward(args, new AttentionGradients { DY = q, DQ = q, DK = k, DV = k, Scratch = default });
            }).Flops;
        }
    }
}
