using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// The backward pass, chunk by chunk from the last, the gradient dS of the state going from chunk to chunk. With the names of <see cref="ChunkForwardWork"/>:
/// dU = Pᵀ dY + K̂ dS; by the delta rule z = dU − Lᵀ (β z), W = −β z, dβ = z · e, dV = −W, else dV = dU; dP = dY Uᵀ, dL = W Uᵀ below the diagonal;
/// dQ̄ = dY Sᵀ, dK̄ = W Sᵀ, dK̂ = U dSᵀ; dS ← what is left of dS + Q̄ᵀ dY + K̄ᵀ W.
/// </summary>
internal unsafe struct ChunkBackwardWork : ILaneWork
{
    private const int Chunk = RecurrentHeadsShape.Chunk;

    public required CpuContext Context;
    public HeadsProblem Problem;
    public KeptStates Kept;
    public HeadGradients Gradients;

    public readonly long Items => (long)Problem.Batch * Problem.Groups * Gradients.Parts.Count;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        int part = (int)(item % Gradients.Parts.Count), pair = (int)(item / Gradients.Parts.Count), group = pair % Problem.Groups;
        int heads = Problem.Heads / Problem.Groups, begin = part * Gradients.Parts.Heads, end = Math.Min(begin + Gradients.Parts.Heads, heads);
        var lane = LaneSize.Of<V>();
        long bytes = new BackwardScratch(null, Problem, lane).Bytes;
        var scratch = new BackwardScratch(Context.Scratch(worker, bytes), Problem, lane);
        scratch.Scores.Start<V>();
        for (int i = begin; i < end; i++)
        {
            Head<V>(scratch, pair / Problem.Groups, (group * heads) + i, part, isFirst: i == begin);
        }
    }

    private readonly void Head<V>(in BackwardScratch scratch, int batch, int head, int part, bool isFirst)
        where V : struct, ICpuLane<V>
    {
        int depth = Problem.KeyWidth, values = Problem.ValueWidth, width = scratch.Width;
        void* dFinal = Problem.State<V>(Gradients.DFinal, batch, head), dInitial = Problem.State<V>(Gradients.DInitial, batch, head);
        if (dFinal is null)
        {
            HeadRow.Zero<V>(scratch.StateGradient, (nint)depth * width);
        }
        else
        {
            ChunkRows.Load<V>(dFinal, values, depth, values, scratch.StateGradient, width, 1);
        }

        int chunks = (Problem.Time + Chunk - 1) / Chunk;
        for (int chunk = chunks - 1; chunk >= 0; chunk--)
        {
            var at = new Place
            {
                Batch = batch,
                Head = head,
                First = chunk * Chunk,
                Count = Math.Min(Chunk, Problem.Time - (chunk * Chunk)),
                Before = chunk > 0 ? Kept.State<V>(batch, head, chunk) : Problem.Initial<V>(batch, head),
                After = chunk + 1 < chunks ? Kept.State<V>(batch, head, chunk + 1) : dFinal is null ? null : Problem.State<V>(Gradients.Final, batch, head),
                PassesOn = chunk > 0 || dInitial is not null,
            };
            Places<V>(scratch, at);
            Gradients.WriteKeys<V>(scratch, Problem, at, part, isFirst);
        }

        if (dInitial is not null)
        {
            ChunkRows.Store<V>(scratch.StateGradient, width, dInitial, values, depth, values, 1, Gradients.AccumulateInitial);
        }
    }

    private readonly void Places<V>(in BackwardScratch scratch, in Place at)
        where V : struct, ICpuLane<V>
    {
        ChunkScores scores = scratch.Scores;
        int count = at.Count, depth = Problem.KeyWidth, values = Problem.ValueWidth, width = scratch.Width, keyRow = scores.Width;
        Fetch<V>(scores, at);
        scores.Load<V>(Problem, at.Batch, at.Head, at.First, count, sign: 1);
        ChunkRows.Load<V>(Gradients.DY.Row<V>(at.Batch, at.First, at.Head), Gradients.DY.Time, count, values, scratch.OutputGradients, width, 1);
        Right outputs = Right.InRows<V>(scratch.OutputGradients, width), state = Right.InRows<V>(scratch.StateGradient, width);
        Updates<V>(scratch, at);

        // dU, and from it dV.
        if (at.After is not null)
        {
            void* written = scores.Decay.ToEnd<V>(scores.Keys, scratch.Faded, count);
            scores.Products.Full<V>(new Left(written, keyRow), count, depth, state, state.Lanes, scratch.UpdateGradients, width, accumulate: false);
        }

        scores.Products.OfLowerTransposed<V>(scores.OfQueries, Chunk, count, outputs, outputs.Lanes, scratch.UpdateGradients, width, accumulate: at.After is not null);
        if (Problem.HasBeta)
        {
            Substitution.Backward<V>(scores.Products, scores.OfKeys, scratch.Betas, scratch.UpdateGradients, scratch.Reads, count, width);
        }

        Gradients.WriteValues<V>(scratch, Problem, at);

        // Gradients of the scores, from here on of what is left of states and of the places of the chunk for each other.
        BlockPacking.Transposed<V>(scratch.Updates, width, 0, 1, count, values, scratch.Panels, 1);
        var updates = Right.InPanels<V>(scratch.Panels, values, (count + V.Width - 1) / V.Width);
        scores.Products.Lower<V>(new Left(scratch.OutputGradients, width), count, values, updates, scratch.OfQueries, Chunk);
        if (Problem.HasBeta)
        {
            scores.Products.Lower<V>(new Left(scratch.Reads, width), count, values, updates, scratch.OfKeys, Chunk);
        }

        Through<V>(scratch, at);
        scores.Gradients<V>(count, scratch.OfQueries, scratch.OfKeys, scratch.QueryGradients, scratch.ReadGradients, scratch.WrittenGradients);
        Gradients.WriteDecay<V>(scratch, Problem, at);
        if (!at.PassesOn)
        {
            return;
        }

        scores.Decay.Whole<V>(scratch.StateGradient, depth, width);
        void* faded = scores.Decay.FromStart<V>(scores.Queries, scratch.Faded, count);
        scores.Products.Full<V>(new Left(faded, 1, keyRow), depth, count, outputs, outputs.Lanes, scratch.StateGradient, width, accumulate: true);
        if (Problem.HasBeta)
        {
            faded = scores.Decay.FromStart<V>(scores.Keys, scratch.Faded, count);
            Right reads = Right.InRows<V>(scratch.Reads, width);
            scores.Products.Full<V>(new Left(faded, 1, keyRow), depth, count, reads, reads.Lanes, scratch.StateGradient, width, accumulate: true);
        }
    }

    // U, and of the delta rule E and β.
    private readonly void Updates<V>(in BackwardScratch scratch, in Place at)
        where V : struct, ICpuLane<V>
    {
        int count = at.Count, values = Problem.ValueWidth, width = scratch.Width;
        if (!Problem.HasBeta)
        {
            ChunkRows.Load<V>(Problem.V.Row<V>(at.Batch, at.First, at.Head), Problem.V.Time, count, values, scratch.Updates, width, 1);
            return;
        }

        for (int i = 0; i < count; i++)
        {
            Element.Set<V>(scratch.Betas, i, Problem.Beta.Get<V>(at.Batch, at.First + i, at.Head));
        }

        ChunkRows.Load<V>(Kept.Row<V>(at.Batch, at.Head, at.First), values, count, values, scratch.Values, width, 1);
        DecayRows.Scale(scratch.Betas, scratch.Values, scratch.Updates, count, width, V.Constant(1));
    }

    // What goes through the states, before and after the chunk, to q and to k as it is read and as it is written.
    private readonly void Through<V>(in BackwardScratch scratch, in Place at)
        where V : struct, ICpuLane<V>
    {
        ChunkScores scores = scratch.Scores;
        int count = at.Count, depth = Problem.KeyWidth, values = Problem.ValueWidth, width = scratch.Width, keyRow = scores.Width;
        Right panels = Right.InPanels<V>(scratch.Panels, values, keyRow / V.Width);
        if (at.After is not null)
        {
            BlockPacking.Transposed<V>(scratch.StateGradient, width, 0, 1, depth, values, scratch.Panels, 1);
            scores.Products.Full<V>(new Left(scratch.Updates, width), count, values, panels, panels.Lanes, scratch.WrittenGradients, keyRow, accumulate: false);
            scores.Decay.ToEnd<V>(scratch.WrittenGradients, scratch.WrittenGradients, count);
        }
        else
        {
            HeadRow.Zero<V>(scratch.WrittenGradients, (nint)count * keyRow);
        }

        if (at.Before is not null)
        {
            BlockPacking.Transposed<V>(at.Before, values, 0, 1, depth, values, scratch.Panels, 1);
            scores.Products.Full<V>(new Left(scratch.OutputGradients, width), count, values, panels, panels.Lanes, scratch.QueryGradients, keyRow, accumulate: false);
            scores.Decay.FromStart<V>(scratch.QueryGradients, scratch.QueryGradients, count);
        }
        else
        {
            HeadRow.Zero<V>(scratch.QueryGradients, (nint)count * keyRow);
        }

        if (!Problem.HasBeta)
        {
            return;
        }

        if (at.Before is not null)
        {
            scores.Products.Full<V>(new Left(scratch.Reads, width), count, values, panels, panels.Lanes, scratch.ReadGradients, keyRow, accumulate: false);
            scores.Decay.FromStart<V>(scratch.ReadGradients, scratch.ReadGradients, count);
        }
        else
        {
            HeadRow.Zero<V>(scratch.ReadGradients, (nint)count * keyRow);
        }
    }

    // What this chunk writes and the one before it reads: of the head, or of that which this thread will likely take after it.
    private readonly void Fetch<V>(in ChunkScores scores, in Place at)
        where V : struct, ICpuLane<V>
    {
        int values = Problem.ValueWidth, next = at.First - Chunk, batch = at.Batch, head = at.Head;
        scores.Ahead->Clear();
        Gradients.Fetch<V>(scores.Ahead, Problem, at);
        if (next < 0)
        {
            // Heads of an item follow on each other, and items on those that the other threads take.
            long following = ((long)batch * Problem.Heads) + head + (Gradients.Parts.Heads > 1 ? 1 : Context.Workers.Count);
            (batch, head, next) = ((int)(following / Problem.Heads), (int)(following % Problem.Heads), (Problem.Time - 1) / Chunk * Chunk);
        }

        if (batch >= Problem.Batch)
        {
            return;
        }

        int rows = Math.Min(Chunk, Problem.Time - next);
        scores.Fetch<V>(Problem, batch, head, next, rows);
        scores.Ahead->Add<V>(Gradients.DY, batch, next, head, rows, values);
        if (Problem.HasBeta)
        {
            scores.Ahead->Add<V>(Kept.Row<V>(batch, head, next), values, rows, values);
        }
        else
        {
            scores.Ahead->Add<V>(Problem.V, batch, next, head, rows, values);
        }

        if (next > 0)
        {
            scores.Ahead->Add<V>(Kept.State<V>(batch, head, next / Chunk), values, Problem.KeyWidth, values);
        }
    }

    /// <summary>A chunk of a head.</summary>
    internal ref struct Place
    {
        public int Batch;
        public int Head;
        public int First;
        public int Count;

        /// <summary>The state that comes to the chunk, rows of DV; null for 0.</summary>
        public void* Before;

        /// <summary>The state after it; null where nothing comes back through it.</summary>
        public void* After;

        /// <summary>Whether the gradient of the state before is wanted.</summary>
        public bool PassesOn;
    }
}
