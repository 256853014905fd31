using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>Depthwise causal convolutions on the CPU, cut by rows, time and channels.</summary>
public sealed unsafe class CpuConvolution(CpuContext context) : IKernel<ConvolutionCall>, IKernel<ConvolutionBackwardCall>
{
    /// <summary>Places of an item: with 64 channels what is read and written stays in the first-level cache.</summary>
    private const int Places = 64;

    /// <summary>Parts that the sums over rows and time are cut into, and one more for each row.</summary>
    private const int WantedParts = 64;

    public void Run(in ConvolutionCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.X.Layout;
        var work = new ConvolutionWork
        {
            // A state is read and replaced by one item.
            Cut = new PlaceCut(shape, call.State.IsNone ? Places : shape[1]),
            Beginnings = new Beginnings(call.Continues, shape[1], call.Weight.Layout[1]),
            Context = context,
            X = new Steps(call.X, shape),
            Y = new Steps(call.Y, shape),
            Weight = (byte*)call.Weight.Address,
            Bias = (byte*)call.Bias.Address,
            State = (byte*)call.State.Address,
            Counts = call.Counts.Ints,
        };
        context.Run(call.X.Type, work.Cut.Items, ref work, call.X.Count >= Map.SmallElements / 4);
    }

    public void Run(in ConvolutionBackwardCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.X.Layout;
        bool parallel = call.X.Count >= Map.SmallElements / 4;
        var beginnings = new Beginnings(call.Continues, shape[1], call.Weight.Layout[1]);
        if (!call.DX.IsNone)
        {
            var work = new ConvolutionInputWork
            {
                Cut = new PlaceCut(shape, Places),
                Beginnings = beginnings,
                Context = context,
                DY = new Steps(call.DY, shape),
                DX = new Steps(call.DX, shape),
                Weight = (byte*)call.Weight.Address,
                Accumulate = call.AccumulateX,
            };
            context.Run(call.X.Type, work.Cut.Items, ref work, parallel);
        }

        if (!call.DWeight.IsNone || !call.DBias.IsNone)
        {
            RowCheck.Scratch(ConvolutionBackwardCall.Name, call.Scratch, ScratchBytes(call));
            var work = new ConvolutionWeightWork
            {
                Cut = new PlaceCut(shape, PartPlaces(shape)),
                Beginnings = beginnings,
                Context = context,
                X = new Steps(call.X, shape),
                DY = new Steps(call.DY, shape),
                Partials = (byte*)call.Scratch.Address,
            };
            context.Run(call.X.Type, work.Cut.Items, ref work, parallel);
            var sum = new ConvolutionSumWork
            {
                Partials = work.Partials,
                Parts = work.Cut.Parts,
                Taps = call.Weight.Layout[1],
                Channels = shape[2],
                DWeight = (byte*)call.DWeight.Address,
                DBias = (byte*)call.DBias.Address,
            };
            context.Run(call.X.Type, sum.Items, ref sum, parallel);
        }
    }

    public long ScratchBytes(in ConvolutionBackwardCall shape) => shape.DWeight.IsNone && shape.DBias.IsNone
        ? 0
        : new PlaceCut(shape.X.Layout, PartPlaces(shape.X.Layout)).Parts * (shape.Weight.Layout[1] + 1) * shape.X.Layout[2] * shape.X.Type.Size();

    private static int PartPlaces(in Layout shape)
        => Math.Max(Places, (int)Math.Min(shape[1], ((long)shape[0] * shape[1] + WantedParts - 1) / WantedParts));
}
