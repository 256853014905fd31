using System.Numerics;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>scores[head, j] = Σ_d queries[head, d] · keys[j, d] for the heads that share keys: four keys meet up to three queries at a time. Distances in bytes.</summary>
internal unsafe struct GroupDots
{
    private const int FourKeys = 4, LineBytes = 64;

    /// <summary>[Heads, Depth].</summary>
    public byte* Queries;
    public nint QueryRow;

    /// <summary>[Count, Depth].</summary>
    public byte* Keys;
    public nint KeyRow;

    /// <summary>Of the keys: that of the lane, or one of 16 bits.</summary>
    public DType KeyType;

    /// <summary>How far ahead keys are fetched from memory; 0 for not.</summary>
    public nint Ahead;

    public int Heads, Count, Depth;

    /// <summary>Each row has room for a multiple of four.</summary>
    public void* Scores;

    /// <summary>In elements.</summary>
    public nint ScoreRow;

    public readonly void Run<V>()
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16) && !GroupVectors.AreHalf<V>(Depth))
        {
            Run<Ops512, Vector512<float>, float>();
        }
        else if (typeof(V) == typeof(Lane16) || typeof(V) == typeof(Lane8))
        {
            Run<Ops256, Vector256<float>, float>();
        }
        else if (typeof(V) == typeof(Lane4))
        {
            Run<Ops128, Vector128<float>, float>();
        }
        else if (typeof(V) == typeof(Lane1))
        {
            Run<OpsScalar<float>, float, float>();
        }
        else
        {
            Run<OpsScalar<double>, double, double>();
        }
    }

    private readonly void Run<O, V, E>()
        where O : struct, IVectorOps<V>
        where V : struct
        where E : unmanaged, INumberBase<E>
    {
        switch (KeyType)
        {
            case DType.BFloat16:
                Run<O, V, E, NarrowLoads<BFloatWidening, V>>();
                break;
            case DType.Float16:
                Run<O, V, E, NarrowLoads<HalfWidening, V>>();
                break;
            default:
                Run<O, V, E, OwnLoads<O, V>>();
                break;
        }
    }

    private readonly void Run<O, V, E, B>()
        where O : struct, IVectorOps<V>
        where V : struct
        where E : unmanaged, INumberBase<E>
        where B : struct, IRowLoads<V>
    {
        nint bytes = (nint)Depth * B.ElementBytes;
        // Shorter keys lie close together: the processor itself fetches them ahead.
        bool fetches = Ahead != 0 && bytes >= LineBytes;
        for (int j = 0; j < Count; j += FourKeys)
        {
            byte* key = Keys + (j * KeyRow);
            // The last key takes the places of those that are missing.
            int last = Count - 1 - j;
            var dots = new DotProducts<O, V, B> { B0 = key, B1 = key + (Math.Min(1, last) * KeyRow), B2 = key + (Math.Min(2, last) * KeyRow), B3 = key + (Math.Min(3, last) * KeyRow) };
            if (fetches)
            {
                Fetch(key + Ahead, bytes);
            }

            for (int head = 0; head < Heads;)
            {
                byte* query = Queries + (head * QueryRow);
                E* scores = (E*)Scores + (head * ScoreRow) + j;
                switch (Heads - head)
                {
                    case 1:
                        dots.One(query, Depth, scores);
                        head++;
                        break;
                    case 2 or 4:
                        dots.Two(query, QueryRow, Depth, scores, ScoreRow);
                        head += 2;
                        break;
                    default:
                        dots.Three(query, QueryRow, Depth, scores, ScoreRow);
                        head += 3;
                        break;
                }
            }
        }
    }

    // A hint only: addresses past the end do no harm.
    private readonly void Fetch(byte* keys, nint bytes)
    {
        for (int j = 0; j < FourKeys; j++, keys += KeyRow)
        {
            for (nint d = 0; d < bytes; d += LineBytes)
            {
                Prefetch.Line(keys + d);
            }
        }
    }
}

/// <summary>Which vectors heads are read by.</summary>
internal static class GroupVectors
{
    /// <summary>Whether rows are whole vectors of 8 but not of the 16 elements that the lane has: parts of vectors cost more than twice as many.</summary>
    public static bool AreHalf<V>(int depth)
        where V : struct, ICpuLane<V>
        => depth % V.Width != 0 && depth % Lane8.Width == 0;
}
