using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>One worker's memory in the backward pass. Rows are padded to whole lanes.</summary>
internal readonly unsafe struct BackwardScratch
{
    private const int Chunk = RecurrentHeadsShape.Chunk;

    public BackwardScratch(void* memory, in HeadsProblem problem, LaneSize lane)
    {
        var cursor = new ScratchCursor(memory);
        Width = lane.Padded(problem.ValueWidth);
        Scores = new ChunkScores(ref cursor, problem, lane);
        long keys = (long)Chunk * Scores.Width * lane.Bytes, values = (long)Chunk * Width * lane.Bytes, pairs = (long)Chunk * Chunk * lane.Bytes;
        long delta = problem.HasBeta ? 1 : 0;
        StateGradient = cursor.Take((long)problem.KeyWidth * Width * lane.Bytes);
        Updates = cursor.Take(values);
        OutputGradients = cursor.Take(values);
        UpdateGradients = cursor.Take(values);
        Values = cursor.Take(delta * values);
        Reads = cursor.Take(delta * values);
        Betas = cursor.Take((long)Chunk * lane.Bytes);
        Panels = cursor.Take((long)problem.ValueWidth * Math.Max(Chunk, Scores.Width) * lane.Bytes);
        OfQueries = cursor.Take(pairs);
        OfKeys = problem.HasBeta ? cursor.Take(pairs) : null;
        Faded = cursor.Take(keys);
        QueryGradients = cursor.Take(keys);
        WrittenGradients = cursor.Take(keys);
        ReadGradients = problem.HasBeta ? cursor.Take(keys) : null;
        DecaySums = cursor.Take((long)Scores.Width * lane.Bytes);
        Bytes = cursor.Used;
    }

    /// <summary>Elements of a row of v.</summary>
    public int Width { get; }

    public ChunkScores Scores { get; }

    /// <summary>dS, of the state after the chunk and then of that before it.</summary>
    public void* StateGradient { get; }

    /// <summary>U.</summary>
    public void* Updates { get; }

    /// <summary>dY.</summary>
    public void* OutputGradients { get; }

    /// <summary>dU, then z.</summary>
    public void* UpdateGradients { get; }

    /// <summary>E.</summary>
    public void* Values { get; }

    /// <summary>W: what comes to what the state gave to k.</summary>
    public void* Reads { get; }

    public void* Betas { get; }

    /// <summary>A transpose.</summary>
    public void* Panels { get; }

    /// <summary>Gradients of the scores of q and k, and of k and k.</summary>
    public void* OfQueries { get; }

    public void* OfKeys { get; }

    public void* Faded { get; }

    public void* QueryGradients { get; }

    /// <summary>dk as k is written, and as it is read by the delta rule.</summary>
    public void* WrittenGradients { get; }

    public void* ReadGradients { get; }

    public void* DecaySums { get; }

    public long Bytes { get; }
}
