using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Which of flash attention's problems go forward by warpgroups, and how they are launched.</summary>
internal static class HopperRun
{
    /// <summary>Whether tensor maps can read it: no axis repeats what is there once.</summary>
    public static bool Fits(in AttentionArgs args) => Repeats(args.Q) + Repeats(args.K) + Repeats(args.V) + Repeats(args.Y) == 0;

    public static void Forward<TDevice>(TDevice device, in AttentionShape shape, in FlashArguments arguments)
        where TDevice : IFlashDevice
    {
        GpuType type = shape.Type == DType.BFloat16 ? GpuType.BFloat16 : GpuType.Float16;
        HopperSpec spec = HopperSpec.Of(type, shape.Depth, shape.Rule.Prefix > 0 || shape.HasPrefixes, shape.HasDocuments);
        device.Launch(spec, Arguments(map => device.Map(map), spec, arguments, shape.Batch), shape.Batch * shape.Heads, Blocks(spec, shape.Time));
    }

    /// <summary>Blocks of queries.</summary>
    public static int Blocks(in HopperSpec spec, int time) => (time + spec.Rows - 1) / spec.Rows;

    /// <param name="map">Makes tensor maps.</param>
    /// <param name="spec">Which kernel.</param>
    /// <param name="arguments">Those of the other kernels.</param>
    /// <param name="batch">Rows of the batch.</param>
    public static HopperArguments Arguments(Func<TensorMapShape, TensorMap> map, HopperSpec spec, in FlashArguments arguments, int batch)
    {
        int depth = arguments.Depth;
        return new HopperArguments
        {
            Flash = arguments,
            Q = map(Heads(spec.Type, arguments.Q, depth, arguments.Time, arguments.Heads, batch, HopperSpec.GroupRows)),
            K = map(Heads(spec.Type, arguments.K, depth, arguments.Keys, arguments.KeyHeads, batch, spec.Columns)),
            V = map(Heads(spec.Type, arguments.V, depth, arguments.Keys, arguments.KeyHeads, batch, spec.Columns)),
            Y = map(Heads(spec.Type, arguments.Y, depth, arguments.Time, arguments.Heads, batch, HopperSpec.GroupRows)),
        };
    }

    /// <summary>The matrix [T, D] of each head of each batch row. An axis of one has no next: any step will do that a map can have.</summary>
    public static TensorMapShape Heads(GpuType type, in FlashTensor tensor, int depth, int rows, int heads, int batch, int boxRows)
        => new(type, tensor.Address, depth, rows, rows == 1 ? 2 * PtxWgmma.RowBytes : tensor.Time, boxRows)
        {
            Heads = heads,
            HeadBytes = heads == 1 ? 2 * PtxWgmma.RowBytes : tensor.Head,
            Batches = batch,
            BatchBytes = batch == 1 ? 2 * PtxWgmma.RowBytes : tensor.Batch,
        };

    /// <summary>Axes that repeat what is there once.</summary>
    public static int Repeats(in View view)
    {
        int count = 0;
        for (int axis = 0; axis < 3; axis++)
        {
            count += view.Layout[axis] > 1 && view.Layout.Stride(axis) < view.Layout[3] ? 1 : 0;
        }

        return count;
    }
}
