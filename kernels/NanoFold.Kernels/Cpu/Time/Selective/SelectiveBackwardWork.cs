using System.Runtime.CompilerServices;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>
/// The gradients of a selective scan for some channels of one row, the last chunk first: the states and exponentials of a chunk are made again from the kept state,
/// four numbers of the state at a time, and walked back. What is summed over channels is summed over these here and left in scratch, one part an item.
/// </summary>
internal unsafe struct SelectiveBackwardWork : ILaneWork
{
    private const int Chunk = SelectiveScanCall.Chunk, Together = SelectiveProblem.Together;

    public required SelectiveProblem Problem;
    public required byte* Kept;
    public required Steps DY;
    public required Steps DX;
    public required Steps DDelta;
    public required bool AccumulateX;
    public required bool AccumulateDelta;
    public required SelectiveParts Parts;

    public readonly void Invoke<V>(long index, int worker)
        where V : struct, ICpuLane<V>
    {
        SelectiveProblem.Item item = Problem.ItemOf(index);
        int blocks = item.Blocks<V>(), states = Problem.States, time = Problem.Walk.Time, size = V.Type.Size(), lane = V.Width * size;
        long tile = LaneTile<V>.Bytes(blocks, Chunk), all = (long)blocks * states * lane, walked = (long)(Chunk + 1) * Together * lane;
        var scratch = (byte*)Problem.Context.Scratch(worker, 5 * tile + 4 * all + 4 * walked);
        var tiles = new Tiles<V>
        {
            Delta = new(scratch, Chunk), X = new(scratch + tile, Chunk), DY = new(scratch + 2 * tile, Chunk),
            Into = new(scratch + 3 * tile, Chunk), Through = new(scratch + 4 * tile, Chunk),
        };
        byte* decays = scratch + 5 * tile, kept = decays + all, carried = kept + all, dDecays = carried + all, walk = dDecays + all;
        Problem.Decays<V>(item, decays);
        new Span<byte>(carried, checked((int)(2 * all))).Clear();
        Parts.ClearSkip<V>(item);
        int* begins = stackalloc int[Chunk + 1];
        for (int first = (SelectiveScanCall.Chunks(time) - 1) * Chunk; first >= 0; first -= Chunk)
        {
            int places = Math.Min(Chunk, time - first);
            StateRows.Read<V>(Problem.KeptAt(Kept, item, first / Chunk, size), item, Problem, kept);
            Open(item, first, places, tiles);
            int found = Problem.Begins(item.Row, first, places, begins);
            for (int n = 0; n < states; n += Together)
            {
                int numbers = Math.Min(Together, states - n);
                var walker = new SelectiveWalk<V>(walk, numbers, begins, found, places)
                {
                    Into = Problem.In.At(item.Row, first, 0) + n * size, IntoPlace = Problem.In.Place,
                    From = Problem.Out.At(item.Row, first, 0) + n * size, FromPlace = Problem.Out.Place,
                };
                walker.Clear();
                for (int block = 0; block < blocks; block++)
                {
                    nint at = ((nint)block * states + n) * lane;
                    Fetch(item, first - Chunk, block * V.Width, n, states);
                    walker.Forward(decays + at, kept + at, tiles.Delta.Block(block), tiles.X.Block(block));
                    walker.Backward(decays + at, carried + at, dDecays + at, tiles, block);
                }

                Parts.Put(index, item.Row, first, n, walker);
            }

            if (Problem.Walk.Carries(item.Row, first, time) == 0)
            {
                new Span<byte>(carried, (int)all).Clear();
            }

            Close(item, first, places, tiles);
        }

        Parts.PutDecays<V>(item, Problem, decays, dDecays);
    }

    /// <summary>Δ, x and dy of a chunk; the two sums over the state's numbers begin at 0.</summary>
    private readonly void Open<V>(in SelectiveProblem.Item item, int first, int places, in Tiles<V> tiles)
        where V : struct, ICpuLane<V>
    {
        for (int t = 0; t < places; t++)
        {
            byte* x = Problem.X.At(item.Row, first + t, item.Channel), raw = Problem.Delta.At(item.Row, first + t, item.Channel), dy = DY.At(item.Row, first + t, item.Channel);
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                int count = Math.Min(V.Width, item.Channels - i);
                V.Store(tiles.X.At(block, t), 0, LaneRow.Load<V>(x, i, count));
                V.Store(tiles.Delta.At(block, t), 0, LaneFormulas.Softplus(LaneRow.Load<V>(raw, i, count)));
                V.Store(tiles.DY.At(block, t), 0, LaneRow.Load<V>(dy, i, count));
                V.Store(tiles.Into.At(block, t), 0, V.Constant(0));
                V.Store(tiles.Through.At(block, t), 0, V.Constant(0));
            }
        }
    }

    /// <summary>Some rows of the chunk before, while the numbers of this one are walked.</summary>
    private readonly void Fetch(in SelectiveProblem.Item item, int first, int channel, int number, int states)
    {
        int end = first < 0 ? 0 : first + Math.Min(Chunk, (number + Together) * Chunk / states);
        for (int place = first + number * Chunk / states; place < end; place++)
        {
            Problem.X.Fetch(item.Row, place, item.Channel + channel);
            Problem.Delta.Fetch(item.Row, place, item.Channel + channel);
            DY.Fetch(item.Row, place, item.Channel + channel);
            DX.Fetch(item.Row, place, item.Channel + channel);
            DDelta.Fetch(item.Row, place, item.Channel + channel);
        }
    }

    /// <summary>dx, dΔ and what skip gets.</summary>
    private readonly void Close<V>(in SelectiveProblem.Item item, int first, int places, in Tiles<V> tiles)
        where V : struct, ICpuLane<V>
    {
        byte* skip = Problem.Skip + (nint)item.Channel * V.Type.Size(), dSkip = Parts.SkipAt<V>(item);
        for (int t = 0; t < places; t++)
        {
            byte* raw = Problem.Delta.At(item.Row, first + t, item.Channel);
            byte* dx = DX.AtOrNull(item.Row, first + t, item.Channel), dDelta = DDelta.AtOrNull(item.Row, first + t, item.Channel);
            for (int i = 0, block = 0; i < item.Channels; i += V.Width, block++)
            {
                int count = Math.Min(V.Width, item.Channels - i);
                V x = V.Load(tiles.X.At(block, t), 0), dy = V.Load(tiles.DY.At(block, t), 0), into = V.Load(tiles.Into.At(block, t), 0);
                LaneRow.Store(dSkip, i, count, V.MultiplyAdd(dy, x, LaneRow.Load<V>(dSkip, i, count)));
                if (dx is not null)
                {
                    V value = V.MultiplyAdd(V.Load(tiles.Delta.At(block, t), 0), into, dy * LaneRow.Load<V>(skip, i, count));
                    LaneRow.Store(dx, i, count, AccumulateX ? LaneRow.Load<V>(dx, i, count) + value : value);
                }

                if (dDelta is not null)
                {
                    V value = V.MultiplyAdd(into, x, V.Load(tiles.Through.At(block, t), 0)) * LaneFormulas.Sigmoid(LaneRow.Load<V>(raw, i, count));
                    LaneRow.Store(dDelta, i, count, AccumulateDelta ? LaneRow.Load<V>(dDelta, i, count) + value : value);
                }
            }
        }
    }

    /// <summary>Of a chunk: Δ, x, dy, Σ_n g in and Σ_n A q.</summary>
    internal readonly struct Tiles<V>
        where V : struct, ICpuLane<V>
    {
        public LaneTile<V> Delta { get; init; }

        public LaneTile<V> X { get; init; }

        public LaneTile<V> DY { get; init; }

        public LaneTile<V> Into { get; init; }

        public LaneTile<V> Through { get; init; }
    }
}
