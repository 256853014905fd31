using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Which of flash attention's problems go backward by warpgroups, and how they are launched.</summary>
internal static class HopperGradientRun
{
    /// <summary>Whether tensor maps can read it, and the scratch has room for what it needs.</summary>
    public static bool Fits(in AttentionShape shape, in AttentionArgs args, in AttentionGradients gradients)
        => HopperRun.Fits(args) && HopperRun.Repeats(gradients.DY) == 0 && HopperGradientSpec.Room(shape.Batch, shape.Heads, shape.Time, shape.Depth).Fits;

    public static void Run<TDevice>(TDevice device, in AttentionShape shape, in FlashArguments arguments, in View scratch)
        where TDevice : IFlashDevice
    {
        GpuType type = shape.Type == DType.BFloat16 ? GpuType.BFloat16 : GpuType.Float16;
        HopperGradientSpec spec = HopperGradientSpec.Of(type, shape.Depth, shape.Rule.Prefix > 0 || shape.HasPrefixes, shape.HasDocuments);
        FlashArguments all = FlashRun.ByTurns(device, arguments, scratch, HopperGradientSpec.Room(shape.Batch, shape.Heads, shape.Time, shape.Depth), spec.Queries, HopperGradientSpec.Keys);
        device.Launch(spec, Arguments(map => device.Map(map), spec, all, shape.Batch), checked(shape.Batch * shape.KeyHeads * all.KeyBlocks));
    }

    /// <param name="map">Makes tensor maps.</param>
    /// <param name="spec">Which kernel.</param>
    /// <param name="arguments">Those of the other kernels, with what turns need.</param>
    /// <param name="batch">Rows of the batch.</param>
    public static HopperGradientArguments Arguments(Func<TensorMapShape, TensorMap> map, HopperGradientSpec spec, in FlashArguments arguments, int batch)
    {
        int depth = arguments.Depth, rows = checked((int)((long)batch * arguments.Heads * arguments.RowLength / HopperGradientSpec.RowQueries));
        return new HopperGradientArguments
        {
            Forward = new HopperArguments
            {
                Flash = arguments,
                Q = map(HopperRun.Heads(spec.Type, arguments.Q, depth, arguments.Time, arguments.Heads, batch, spec.Queries)),
                K = map(HopperRun.Heads(spec.Type, arguments.K, depth, arguments.Keys, arguments.KeyHeads, batch, HopperGradientSpec.Keys)),
                V = map(HopperRun.Heads(spec.Type, arguments.V, depth, arguments.Keys, arguments.KeyHeads, batch, HopperGradientSpec.Keys)),
                Y = map(HopperRun.Heads(spec.Type, arguments.DY, depth, arguments.Time, arguments.Heads, batch, spec.Queries)),
            },
            Bits = map(Floats(arguments.Bits)),
            Delta = map(Floats(arguments.Delta)),
        };

        // Rows of floats, which maps take for twice as many elements of 16 bits.
        TensorMapShape Floats(long address) => new(spec.Type, address, TensorMapShape.BoxColumns, rows, PtxWgmma.RowBytes, spec.Queries / HopperGradientSpec.RowQueries);
    }
}
