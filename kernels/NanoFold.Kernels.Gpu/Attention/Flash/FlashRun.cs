using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash.Hopper;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>Which problems flash attention takes, and what it launches for them.</summary>
internal static class FlashRun
{
    /// <summary>
    /// 16-bit types, a head dimension that is a multiple of 8 up to 128, the same for values, and rows that can be copied 16 bytes at a time. Of
    /// <see cref="Visible"/> all but block tables: those are the portable kernel's.
    /// </summary>
    public static bool Fits<TDevice>(TDevice device, in AttentionShape shape, in AttentionArgs args)
        where TDevice : IFlashDevice
        => shape.Type.Is16Bit() && shape.IsPlain && shape.Depth == shape.ValueDepth && shape.Depth % 8 == 0 && shape.Depth <= FlashSpec.MostDepth && args.Scale > 0
            && !shape.HasBlocks && (long)shape.Batch * shape.Keys < int.MaxValue / DocumentReach.Numbers && (long)shape.Batch * shape.Heads * DeltaRows.Length(shape.Time) < int.MaxValue
            && IsAligned(device, args.Q) && IsAligned(device, args.K) && IsAligned(device, args.V) && IsAligned(device, args.Y);

    /// <summary>As above, of the backward pass.</summary>
    public static bool Fits<TDevice>(TDevice device, in AttentionShape shape, in AttentionArgs args, in AttentionGradients gradients)
        where TDevice : IFlashDevice
        => Fits(device, shape, args) && IsAligned(device, gradients.DY) && IsAligned(device, gradients.DQ) && IsAligned(device, gradients.DK)
            && IsAligned(device, gradients.DV) && device.Pointer(gradients.Scratch) % 16 == 0;

    public static void Forward<TDevice>(TDevice device, in AttentionShape shape, in AttentionArgs args)
        where TDevice : IFlashDevice
    {
        FlashArguments arguments = Arguments(device, shape, args);
        if (device.HasWarpgroups && HopperRun.Fits(args))
        {
            HopperRun.Forward(device, shape, arguments);
            return;
        }

        FlashSpec spec = Spec(FlashPass.Forward, shape);
        device.Launch(spec, arguments, shape.Batch * shape.Heads, FlashRoom.Blocks(shape.Time, spec.Rows));
    }

    /// <summary>Scratch of the backward pass: what <see cref="DeltaRows"/> puts there, and where one kernel computes all gradients dq's sums and whose turn it is.</summary>
    /// <param name="isOne">Whether one kernel computes all gradients.</param>
    /// <param name="isByWarpgroups">Whether that is one by warpgroups, where it takes the call.</param>
    /// <param name="args">Of the call.</param>
    public static long ScratchBytes(bool isOne, bool isByWarpgroups, in AttentionArgs args)
    {
        Layout q = args.Q.Layout;
        long bytes = DeltaRows.Bytes(args);
        if (!args.Q.Type.Is16Bit() || q[3] > FlashSpec.MostDepth)
        {
            return bytes;
        }

        FlashRoom one = FlashGradients.Room(q[0], q[2], q[1], q[3]), wide = HopperGradientSpec.Room(q[0], q[2], q[1], q[3]);
        return Math.Max(isOne && one.Fits ? one.Bytes : bytes, isByWarpgroups && wide.Fits ? wide.Bytes : bytes);
    }

    /// <summary>The scratch holds what <see cref="DeltaRows"/> puts there.</summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="shape">Of the problem.</param>
    /// <param name="args">Of attention.</param>
    /// <param name="gradients">Where they go.</param>
    /// <param name="rotation">By which those of queries and keys are turned back: see <see cref="CanTurnBack"/>.</param>
    public static void Backward<TDevice>(TDevice device, in AttentionShape shape, in AttentionArgs args, in AttentionGradients gradients, HeadRotation? rotation = null)
        where TDevice : IFlashDevice
    {
        FlashArguments arguments = Arguments(device, shape, args);
        FlashRotation? turn = null;
        if (rotation is { } turned)
        {
            turn = Rotation(turned);
            (arguments.Table, arguments.Positions) = (device.Pointer(turned.Table), device.Pointer(turned.Positions));
            (arguments.TableStride, arguments.LastPosition) = (checked((int)(turned.Table.Layout.Stride(0) * sizeof(float))), turned.Table.Layout[0] - 1);
        }

        arguments.DY = Tensor(device, gradients.DY);
        arguments.DQ = Tensor(device, gradients.DQ);
        arguments.DK = Tensor(device, gradients.DK);
        arguments.DV = Tensor(device, gradients.DV);
        arguments.AccumulateQ = gradients.AccumulateQ ? 1 : 0;
        arguments.AccumulateK = gradients.AccumulateK ? 1 : 0;
        arguments.AccumulateV = gradients.AccumulateV ? 1 : 0;
        arguments.Bits = device.Pointer(gradients.Scratch);
        arguments.Delta = arguments.Bits + DeltaRows.Bytes(shape.Batch, shape.Time, shape.Heads) / 2;
        bool hasKeys = !gradients.DK.IsNone || !gradients.DV.IsNone, hasAll = hasKeys && !gradients.DQ.IsNone;
        if (rotation is null && hasAll && device.HasWarpgroupGradients && HopperGradientRun.Fits(shape, args, gradients))
        {
            HopperGradientRun.Run(device, shape, arguments, gradients.Scratch);
            return;
        }

        if (rotation is null && hasAll && device.HasOneBackward && FlashGradients.Room(shape.Batch, shape.Heads, shape.Time, shape.Depth).Fits)
        {
            Together(device, shape, arguments, gradients.Scratch);
            return;
        }

        if (hasKeys)
        {
            FlashSpec spec = Spec(FlashPass.KeyGradient, shape) with { Rotation = turn };
            device.Launch(spec, arguments, shape.Batch * shape.KeyHeads, FlashRoom.Blocks(shape.Keys, spec.Rows));
        }

        if (!gradients.DQ.IsNone)
        {
            FlashSpec spec = Spec(FlashPass.QueryGradient, shape) with { Rotation = turn };
            device.Launch(spec, arguments, shape.Batch * shape.Heads, FlashRoom.Blocks(shape.Time, spec.Rows));
        }
    }

    /// <summary>Whether the two kernels turn gradients of queries and keys back as they store them: where one kernel computes all gradients, or one by warpgroups, no lane has both of a pair.</summary>
    public static bool CanTurnBack<TDevice>(TDevice device, in AttentionShape shape, in HeadRotation rotation)
        where TDevice : IFlashDevice
        => !device.HasOneBackward && !device.HasWarpgroupGradients && Rotation(rotation).Fits(shape.Depth) && device.Pointer(rotation.Table) % 8 == 0 && rotation.Table.Layout.Stride(0) % 2 == 0;

    private static FlashRotation Rotation(in HeadRotation rotation) => new(rotation.Width, rotation.Interleaved, !rotation.Positions.IsNone);

    private static void Together<TDevice>(TDevice device, in AttentionShape shape, FlashArguments arguments, in View scratch)
        where TDevice : IFlashDevice
    {
        FlashSpec spec = Spec(FlashPass.Gradients, shape);
        arguments = ByTurns(device, arguments, scratch, FlashGradients.Room(shape.Batch, shape.Heads, shape.Time, shape.Depth), FlashSpec.QueriesTogether, spec.Rows);
        device.Launch(spec, arguments, checked(shape.Batch * shape.KeyHeads * arguments.KeyBlocks), 1);
    }

    /// <summary>The arguments of a kernel whose blocks add to dq by turns; nobody has had his turn yet.</summary>
    /// <param name="device">It runs on.</param>
    /// <param name="arguments">Those of the other kernels.</param>
    /// <param name="scratch">Of the call.</param>
    /// <param name="room">What it needs there.</param>
    /// <param name="queries">Of a block of queries.</param>
    /// <param name="keys">Of a block of keys.</param>
    internal static FlashArguments ByTurns<TDevice>(TDevice device, FlashArguments arguments, in View scratch, FlashRoom room, int queries, int keys)
        where TDevice : IFlashDevice
    {
        RowCheck.Scratch(AttentionBackwardCall.Name, scratch, room.Bytes);
        arguments.Sums = arguments.Bits + room.Rows;
        arguments.Turns = arguments.Sums + room.Sums;
        arguments.QueryBlocks = FlashRoom.Blocks(arguments.Time, queries);
        arguments.KeyBlocks = FlashRoom.Blocks(arguments.Keys, keys);
        device.Clear(scratch, room.Rows + room.Sums, room.Turns);
        return arguments;
    }

    private static FlashSpec Spec(FlashPass pass, in AttentionShape shape)
        => FlashSpec.Of(pass, shape.Type == DType.BFloat16 ? GpuType.BFloat16 : GpuType.Float16, shape.Depth, shape.Rule.Prefix > 0 || shape.HasPrefixes, shape.HasDocuments);

    private static FlashArguments Arguments<TDevice>(TDevice device, in AttentionShape shape, in AttentionArgs args)
        where TDevice : IFlashDevice
        => new()
        {
            Q = Tensor(device, args.Q),
            K = Tensor(device, args.K),
            V = Tensor(device, args.V),
            Y = Tensor(device, args.Y),
            Documents = device.Pointer(args.Visible.Documents),
            Reach = shape.HasDocuments ? device.Reach(shape, args.Visible.Documents) : 0,
            ReachUnits = DocumentReach.Count(shape.Keys),
            Prefixes = device.Pointer(args.Visible.Prefixes),
            LogSumExp = device.Pointer(args.LogSumExp),
            Time = shape.Time,
            Keys = shape.Keys,
            RowLength = DeltaRows.Length(shape.Time),
            Shift = shape.Shift,
            Prefix = shape.Rule.Prefix,
            Window = shape.Rule.Window,
            Sinks = shape.Rule.Sinks,
            Depth = shape.Depth,
            Heads = shape.Heads,
            KeyHeads = shape.KeyHeads,
            GroupHeads = shape.Group,
            Scale = (float)args.Scale,
            BitScale = (float)(args.Scale / Math.Log(2)),
        };

    private static FlashTensor Tensor<TDevice>(TDevice device, in View view)
        where TDevice : IFlashDevice
        => FlashTensor.Of(device.Pointer(view), view);

    /// <summary>Rows begin at multiples of 16 bytes, and strides fit 32 bits.</summary>
    private static bool IsAligned<TDevice>(TDevice device, in View view)
        where TDevice : IFlashDevice
    {
        if (view.IsNone)
        {
            return true;
        }

        bool fits = device.Pointer(view) % 16 == 0;
        for (int axis = 0; axis < 3; axis++)
        {
            long stride = view.Layout.Stride(axis);
            fits &= view.Layout[axis] == 1 || (stride % 8 == 0 && (axis == 0 || stride < VisibleRule.Far));
        }

        return fits;
    }
}

/// <summary>What runs flash attention's kernels: a card, or in tests a machine that runs their text.</summary>
internal interface IFlashDevice
{
    /// <summary>Address of a view's first element; 0 for none.</summary>
    long Pointer(in View view);

    /// <summary>Address of what a <see cref="DocumentReach"/> finds, until the call ends.</summary>
    long Reach(in AttentionShape shape, in View documents);

    /// <summary>Whether dq comes from the kernel that computes dk and dv.</summary>
    bool HasOneBackward { get; }

    /// <summary>Whether attention goes by warpgroups.</summary>
    bool HasWarpgroups { get; }

    /// <summary>The same of its backward pass, where one kernel by warpgroups computes all gradients.</summary>
    bool HasWarpgroupGradients { get; }

    /// <summary>The tensor map of a shape.</summary>
    TensorMap Map(in TensorMapShape shape);

    /// <summary>Sets bytes of a view of one row to 0.</summary>
    void Clear(in View memory, long offset, long bytes);

    void Launch(in FlashSpec spec, in FlashArguments arguments, int gridX, int gridY);

    void Launch(in HopperSpec spec, in HopperArguments arguments, int gridX, int gridY);

    void Launch(in HopperGradientSpec spec, in HopperGradientArguments arguments, int blocks);
}
