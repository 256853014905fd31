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
            Q = Of(arguments.Q, arguments.Time, arguments.Heads, HopperSpec.GroupRows),
            K = Of(arguments.K, arguments.Keys, arguments.KeyHeads, spec.Columns),
            V = Of(arguments.V, arguments.Keys, arguments.KeyHeads, spec.Columns),
            Y = Of(arguments.Y, arguments.Time, arguments.Heads, HopperSpec.GroupRows),
        };

        // The matrix [T, D] of each head of each batch row. An axis of one has no next: any step will do that a map can have.
        TensorMap Of(in FlashTensor tensor, int rows, int heads, int boxRows) => map(new TensorMapShape(spec.Type, tensor.Address, depth, rows, rows == 1 ? 2 * PtxWgmma.RowBytes : tensor.Time, boxRows)
        {
            Heads = heads,
            HeadBytes = heads == 1 ? 2 * PtxWgmma.RowBytes : tensor.Head,
            Batches = batch,
            BatchBytes = batch == 1 ? 2 * PtxWgmma.RowBytes : tensor.Batch,
        });
    }

    private static int Repeats(in View view)
    {
        int count = 0;
        for (int axis = 0; axis < 3; axis++)
        {
            count += view.Layout[axis] > 1 && view.Layout.Stride(axis) < view.Layout[3] ? 1 : 0;
        }

        return count;
    }
}
