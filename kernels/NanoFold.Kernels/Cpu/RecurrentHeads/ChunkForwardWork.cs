using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// The forward pass in chunks; an item is a batch row and a head, whose state goes from chunk to chunk. With scores P of q and k and L of k and k in a
/// chunk, Q̄, K̄ with what is left of the state that comes, K̂ with what is left of a place at the end: U = V, or of the delta rule U = β E with
/// E = V − K̄ S − L U by substitution; Y = Q̄ S + P U; S ← what is left of S + K̂ᵀ U (arXiv 2312.06635, 2406.06484).
/// </summary>
internal unsafe struct ChunkForwardWork : ILaneWork
{
    private const int Chunk = RecurrentHeadsShape.Chunk;

    public required CpuContext Context;
    public HeadsProblem Problem;
    public KeptStates Kept;
    public HeadRows Y;
    public void* Final;
    public int* Counts;

    public readonly long Items => (long)Problem.Batch * Problem.Heads;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int batch = (int)(item / Problem.Heads), head = (int)(item % Problem.Heads);
        int count = Counts is null ? Problem.Time : Math.Clamp(Counts[batch], 0, Problem.Time);
        var lane = LaneSize.Of<V>();
        long bytes = new Scratch(null, Problem, lane).Bytes;
        var scratch = new Scratch(Context.Scratch(worker, bytes), Problem, lane);
        scratch.Scores.Start<V>();
        void* initial = Problem.Initial<V>(batch, head), final = Problem.State<V>(Final, batch, head);
        if (initial is null)
        {
            HeadRow.Zero<V>(scratch.State, (nint)Problem.KeyWidth * scratch.Width);
        }
        else
        {
            ChunkRows.Load<V>(initial, Problem.ValueWidth, Problem.KeyWidth, Problem.ValueWidth, scratch.State, scratch.Width, 1);
        }

        for (int first = 0; first < count; first += Chunk)
        {
            bool comes = first > 0 || initial is not null, goes = first + Chunk < count || final is not null;
            Places<V>(scratch, batch, head, first, Math.Min(Chunk, count - first), comes, goes);
        }

        for (int time = count; time < Problem.Time; time++)
        {
            HeadRow.Zero<V>(Y.Row<V>(batch, time, head), Problem.ValueWidth);
        }

        if (final is not null)
        {
            ChunkRows.Store<V>(scratch.State, scratch.Width, final, Problem.ValueWidth, Problem.KeyWidth, Problem.ValueWidth, 1, accumulate: false);
        }
    }

    private readonly void Places<V>(in Scratch scratch, int batch, int head, int first, int count, bool comes, bool goes)
        where V : struct, ICpuLane<V>
    {
        ChunkScores scores = scratch.Scores;
        ChunkDecay decay = scores.Decay;
        int depth = Problem.KeyWidth, width = scratch.Width, keyRow = scores.Width;
        if (first > 0 && !Kept.IsNone)
        {
            ChunkRows.Store<V>(scratch.State, width, Kept.State<V>(batch, head, first / Chunk), Problem.ValueWidth, depth, Problem.ValueWidth, 1, accumulate: false);
        }

        Fetch<V>(scores, batch, head, first, count);
        scores.Load<V>(Problem, batch, head, first, count, sign: -1);
        var state = Right.InRows<V>(scratch.State, width);
        ChunkRows.Load<V>(Problem.V.Row<V>(batch, first, head), Problem.V.Time, count, Problem.ValueWidth, scratch.Values, width, 1);
        void* u = scratch.Values;
        if (Problem.HasBeta)
        {
            u = scratch.Updates;
            for (int i = 0; i < count; i++)
            {
                Element.Set<V>(scratch.Betas, i, Problem.Beta.Get<V>(batch, first + i, head));
            }

            if (comes)
            {
                void* read = decay.FromStart<V>(scores.Keys, scratch.Faded, count, sign: -1);
                scores.Products.Full<V>(new Left(read, keyRow), count, depth, state, state.Lanes, scratch.Values, width, accumulate: true);
            }

            Substitution.Forward<V>(scores.Products, scores.OfKeys, scratch.Betas, scratch.Values, u, count, width);
            if (!Kept.IsNone)
            {
                ChunkRows.Store<V>(scratch.Values, width, Kept.Row<V>(batch, head, first), Problem.ValueWidth, count, Problem.ValueWidth, 1, accumulate: false);
            }
        }

        var updates = Right.InRows<V>(u, width);
        scores.Products.OfLower<V>(new Left(scores.OfQueries, Chunk), count, updates, updates.Lanes, scratch.Outputs, width, accumulate: false);
        if (comes)
        {
            void* read = decay.FromStart<V>(scores.Queries, scratch.Faded, count);
            scores.Products.Full<V>(new Left(read, keyRow), count, depth, state, state.Lanes, scratch.Outputs, width, accumulate: true);
        }

        ChunkRows.Store<V>(scratch.Outputs, width, Y.Row<V>(batch, first, head), Y.Time, count, Problem.ValueWidth, 1, accumulate: false);
        if (goes)
        {
            decay.Whole<V>(scratch.State, depth, width);
            void* written = decay.ToEnd<V>(scores.Keys, scratch.Faded, count);
            scores.Products.Full<V>(new Left(written, 1, keyRow), depth, count, updates, updates.Lanes, scratch.State, width, accumulate: true);
        }
    }

    // What this chunk writes and the next one reads: of the head, or of that which this thread will likely take after it.
    private readonly void Fetch<V>(in ChunkScores scores, int batch, int head, int first, int count)
        where V : struct, ICpuLane<V>
    {
        scores.Ahead->Clear();
        scores.Ahead->Add<V>(Y, batch, first, head, count, Problem.ValueWidth);
        int next = first + count;
        if (!Kept.IsNone && Problem.HasBeta)
        {
            scores.Ahead->Add<V>(Kept.Row<V>(batch, head, first), Problem.ValueWidth, count, Problem.ValueWidth);
        }

        if (!Kept.IsNone && next < Problem.Time)
        {
            scores.Ahead->Add<V>(Kept.State<V>(batch, head, next / Chunk), Problem.ValueWidth, Problem.KeyWidth, Problem.ValueWidth);
        }

        if (next >= Problem.Time)
        {
            long item = ((long)batch * Problem.Heads) + head + Context.Workers.Count;
            (batch, head, next) = ((int)(item / Problem.Heads), (int)(item % Problem.Heads), 0);
        }

        if (batch < Problem.Batch)
        {
            int rows = Math.Min(Chunk, Problem.Time - next);
            scores.Fetch<V>(Problem, batch, head, next, rows);
            scores.Ahead->Add<V>(Problem.V, batch, next, head, rows, Problem.ValueWidth);
        }
    }

    private readonly struct Scratch
    {
        public Scratch(void* memory, in HeadsProblem problem, LaneSize lane)
        {
            var cursor = new ScratchCursor(memory);
            Width = lane.Padded(problem.ValueWidth);
            Scores = new ChunkScores(ref cursor, problem, lane);
            State = cursor.Take((long)problem.KeyWidth * Width * lane.Bytes);
            Faded = cursor.Take((long)Chunk * Scores.Width * lane.Bytes);
            Values = cursor.Take((long)Chunk * Width * lane.Bytes);
            Updates = cursor.Take(problem.HasBeta ? (long)Chunk * Width * lane.Bytes : 0);
            Outputs = cursor.Take((long)Chunk * Width * lane.Bytes);
            Betas = cursor.Take((long)Chunk * lane.Bytes);
            Bytes = cursor.Used;
        }

        /// <summary>Elements of a row of v.</summary>
        public int Width { get; }

        public ChunkScores Scores { get; }

        public void* State { get; }

        /// <summary>Queries or keys with what is left of the state that comes, or at the end.</summary>
        public void* Faded { get; }

        /// <summary>V, then E.</summary>
        public void* Values { get; }

        /// <summary>U of the delta rule.</summary>
        public void* Updates { get; }

        public void* Outputs { get; }

        public void* Betas { get; }

        public long Bytes { get; }
    }
}
