using ILGPU;
using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Elements;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu.RecurrentHeads;

/// <summary>
/// Recurrent heads on a GPU. Forward and step are one walk over time by groups of a head and some columns of its values; with a backward call to come it keeps the state
/// before each chunk. Backward goes span by span from the end: states within the span again, from what was kept; the gradients of states and values, walked the other
/// way; then those of queries, keys, decays and β, of all places at once.
/// </summary>
internal sealed class GpuRecurrentHeads(GpuContext context) : IKernel<RecurrentHeadsCall>, IKernel<RecurrentHeadsBackwardCall>
{
    private const int Chunk = RecurrentHeadsShape.Chunk, SixteensOfChunk = Chunk / PlaceBlock.Places;

    /// <summary>What the states of a span may take, where one chunk does not take more.</summary>
    internal long MostSpanBytes { get; set; } = 128L << 20;

    public void Run(in RecurrentHeadsCall call)
    {
        call.Check();
        ByElement.Run(RecurrentHeadsCall.Name, call.Y, new Forward(this, call));
    }

    public void Run(in RecurrentHeadsBackwardCall call)
    {
        call.Check();
        ByElement.Run(RecurrentHeadsBackwardCall.Name, call.DY, new Backward(this, call));
    }

    public long ScratchBytes(in RecurrentHeadsCall shape) => IsSingle(shape.Final) ? 0 : StateFloats(new(RecurrentHeadsCall.Name, shape.Args)) * sizeof(float);

    public long KeptBytes(in RecurrentHeadsCall shape)
    {
        var sizes = new RecurrentHeadsShape(RecurrentHeadsCall.Name, shape.Args);
        return StateFloats(sizes) * sizes.Chunks * sizeof(float);
    }

    public long ScratchBytes(in RecurrentHeadsBackwardCall shape) => new Span(new(RecurrentHeadsBackwardCall.Name, shape.Args), MostSpanBytes).Floats * sizeof(float);

    private static bool IsSingle(in View state) => !state.IsNone && state.Type == DType.Float32;

    private static long StateFloats(in RecurrentHeadsShape shape) => (long)shape.Batch * shape.Heads * shape.KeyWidth * shape.ValueWidth;

    private static int Columns(in RecurrentHeadsShape shape) => (shape.ValueWidth + WalkMemory.Columns - 1) / WalkMemory.Columns;

    private void Run<T>(in RecurrentHeadsCall call)
        where T : unmanaged, IElement<T>
    {
        var shape = new RecurrentHeadsShape(RecurrentHeadsCall.Name, call.Args);
        bool isSingle = IsSingle(call.Final);
        if (!isSingle)
        {
            RowCheck.Scratch(RecurrentHeadsCall.Name, call.Scratch, ScratchBytes(call));
        }

        if (!call.Kept.IsNone)
        {
            RowCheck.Room(RecurrentHeadsCall.Name, "kept", call.Kept, KeptBytes(call));
        }

        View initial = call.Args.Initial;
        context.Launch(
            new WalkWork<T>
            {
                Heads = HeadsView<T>.Of(context, shape, call.Args, call.Counts),
                Y = HeadView<T>.Of(context, call.Y),
                Initial = StateView<T>.Of(context, initial),
                Final = StateView<T>.Of(context, isSingle ? default : call.Final),
                States = context.View<float>(isSingle ? call.Final : call.Scratch.As(DType.Float32, Layout.Of(checked((int)StateFloats(shape))))),
                Kept = context.View<float>(call.Kept),
                Written = context.View<float>(default),
                Length = shape.Time,
                End = shape.Time,
                Chunk = Chunk,
                Chunks = shape.Chunks,
                Slots = 1,
                IsInPlace = isSingle && initial.Buffer == call.Final.Buffer && initial.Offset == call.Final.Offset ? 1 : 0,
                HasInitial = initial.IsNone ? 0 : 1,
                Goes = call.Final.IsNone ? 0 : 1,
                Keeps = call.Kept.IsNone ? 0 : 1,
            },
            shape.Batch * shape.Heads, Columns(shape), 1, context.GroupSize);
    }

    private void Run<T>(in RecurrentHeadsBackwardCall call)
        where T : unmanaged, IElement<T>
    {
        var shape = new RecurrentHeadsShape(RecurrentHeadsBackwardCall.Name, call.Args);
        var span = new Span(shape, MostSpanBytes);
        RowCheck.Scratch(RecurrentHeadsBackwardCall.Name, call.Scratch, span.Floats * sizeof(float));
        ArrayView<float> memory = context.View<float>(call.Scratch.As(DType.Float32, Layout.Of(checked((int)span.Floats))));
        ArrayView<float> states = memory.SubView(0, span.States), gradients = memory.SubView(span.States, span.Gradients);
        ArrayView<float> written = memory.SubView(span.States + span.Gradients, span.Values), writtenGradient = memory.SubView(span.States + span.Gradients + span.Values, span.Values);
        HeadsView<T> heads = HeadsView<T>.Of(context, shape, call.Args, default);
        HeadView<T> dy = HeadView<T>.Of(context, call.DY);
        int pairs = shape.Batch * shape.Heads;
        for (int first = (shape.Time - 1) / span.Places * span.Places; first >= 0; first -= span.Places)
        {
            int end = Math.Min(first + span.Places, shape.Time), sixteens = (end - first + PlaceBlock.Places - 1) / PlaceBlock.Places;
            context.Launch(
                new WalkWork<T>
                {
                    Heads = heads,
                    Y = dy,
                    Initial = StateView<T>.Of(context, default),
                    Final = StateView<T>.Of(context, default),
                    States = states,
                    Kept = context.View<float>(call.Kept),
                    Written = written,
                    First = first,
                    Length = Chunk,
                    End = end,
                    Chunk = Chunk,
                    Chunks = shape.Chunks,
                    Slots = span.Sixteens,
                    KeepsAll = 1,
                },
                pairs, Columns(shape), (end - first + Chunk - 1) / Chunk, context.GroupSize);
            context.Launch(
                new ReverseWalkWork<T>
                {
                    Heads = heads,
                    DY = dy,
                    DV = HeadView<T>.Of(context, call.DV),
                    DFinal = StateView<T>.Of(context, call.DFinal),
                    DInitial = StateView<T>.Of(context, call.DInitial),
                    States = gradients,
                    Written = writtenGradient,
                    First = first,
                    End = end,
                    Slots = span.Sixteens + 1,
                    IsLast = end == shape.Time ? 1 : 0,
                    AccumulateV = call.AccumulateV ? 1 : 0,
                    AccumulateInitial = call.AccumulateInitial ? 1 : 0,
                },
                pairs, Columns(shape), 1, context.GroupSize);
            context.Launch(
                new HeadGradientWork<T>
                {
                    Heads = heads,
                    DY = dy,
                    DQ = HeadView<T>.Of(context, call.DQ),
                    DK = HeadView<T>.Of(context, call.DK),
                    DDecay = PlaceView<T>.Of(context, call.DDecay),
                    DBeta = PlaceView<T>.Of(context, call.DBeta),
                    States = states,
                    Gradients = gradients,
                    Written = written,
                    WrittenGradient = writtenGradient,
                    Sums = memory.SubView(span.Floats - span.Keys, span.Keys),
                    First = first,
                    End = end,
                    Slots = span.Sixteens + 1,
                    Groups = shape.Groups,
                    AccumulateQ = call.AccumulateQ ? 1 : 0,
                    AccumulateK = call.AccumulateK ? 1 : 0,
                    AccumulateDecay = call.AccumulateDecay ? 1 : 0,
                    AccumulateBeta = call.AccumulateBeta ? 1 : 0,
                },
                shape.Batch * shape.Groups, sixteens, 1, context.GroupSize);
        }
    }

    /// <summary>Places that a backward pass works on together, as many chunks as have room, and floats of its scratch.</summary>
    private readonly struct Span
    {
        public Span(in RecurrentHeadsShape shape, long mostBytes)
        {
            long pairs = (long)shape.Batch * shape.Heads, size = (long)shape.KeyWidth * shape.ValueWidth;
            long chunk = pairs * (2 * SixteensOfChunk * size + 2 * Chunk * shape.ValueWidth) * sizeof(float);
            Sixteens = SixteensOfChunk * (int)Math.Clamp(mostBytes / chunk, 1, shape.Chunks);
            States = pairs * Sixteens * size;
            Gradients = pairs * (Sixteens + 1) * size;
            Values = pairs * Places * shape.ValueWidth;
            Keys = shape.Heads > shape.Groups ? 2L * shape.Batch * shape.Groups * Places * shape.KeyWidth : 1;
        }

        public int Sixteens { get; }

        public int Places => Sixteens * PlaceBlock.Places;

        public long States { get; }

        public long Gradients { get; }

        public long Values { get; }

        public long Keys { get; }

        public long Floats => States + Gradients + 2 * Values + Keys;
    }

    private readonly struct Forward(GpuRecurrentHeads kernel, RecurrentHeadsCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }

    private readonly struct Backward(GpuRecurrentHeads kernel, RecurrentHeadsBackwardCall call) : IElementBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
            => kernel.Run<T>(call);
    }
}
