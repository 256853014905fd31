using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Residuals;

/// <summary>All gradients of a token's mixing while its rows are in the nearest cache; those that are not wanted have no target.</summary>
internal unsafe struct StreamMixBackward : ILaneWork
{
    public StreamMix DX;
    public StreamMix DF;
    public StreamDots DA;
    public StreamDots DB;
    public long Tokens;
    public long TokensPerItem;

    public readonly void Invoke<V>(long item, int worker)
        where V : struct, ICpuLane<V>
    {
        long end = Math.Min((item + 1) * TokensPerItem, Tokens);
        for (long token = item * TokensPerItem; token < end; token++)
        {
            if (DA.Dots is not null)
            {
                DA.Token<V>(token);
            }

            if (DB.Dots is not null)
            {
                DB.Token<V>(token);
            }

            if (DF.Y is not null)
            {
                DF.Token<V>(token);
            }

            if (DX.Y is not null)
            {
                DX.Token<V>(token);
            }
        }
    }
}

/// <summary>dots[i, j] (+)= ⟨dy_i, x_j⟩, token by token.</summary>
internal unsafe struct StreamDots
{
    public byte* DY;
    public byte* X;
    public byte* Dots;
    public int Inputs;
    public int Outputs;
    public int Width;
    public bool Accumulate;

    public readonly void Token<V>(long token)
        where V : struct, ICpuLane<V>
    {
        nint bytes = Width * Element.Size<V>();
        double* sums = stackalloc double[4];
        for (int i = 0; i < Outputs; i++)
        {
            byte* dy = DY + (((nint)token * Outputs) + i) * bytes;
            for (int j = 0; j < Inputs; j += 4)
            {
                int count = Math.Min(4, Inputs - j);
                Four<V>(dy, X + (((nint)token * Inputs) + j) * bytes, bytes, count, sums);
                for (int k = 0; k < count; k++)
                {
                    long at = (((token * Outputs) + i) * Inputs) + j + k;
                    Element.Set<V>(Dots, at, Accumulate ? Element.Get<V>(Dots, at) + sums[k] : sums[k]);
                }
            }
        }
    }

    // Up to four products with one row; where there are fewer, the last is made again and again.
    private readonly void Four<V>(byte* dy, byte* x, nint bytes, int count, double* sums)
        where V : struct, ICpuLane<V>
    {
        byte* x1 = x + (Math.Min(1, count - 1) * bytes), x2 = x + (Math.Min(2, count - 1) * bytes), x3 = x + (Math.Min(3, count - 1) * bytes);
        sums[0] = sums[1] = sums[2] = sums[3] = 0;
        for (nint start = 0, width = Width; start < width; start += LaneSum.Chunk)
        {
            nint end = Math.Min(start + LaneSum.Chunk, width), c = start;
            V s0 = V.Constant(0), s1 = s0, s2 = s0, s3 = s0;
            for (; c <= end - V.Width; c += V.Width)
            {
                V y = V.Load(dy, c);
                s0 = V.MultiplyAdd(y, V.Load(x, c), s0);
                s1 = V.MultiplyAdd(y, V.Load(x1, c), s1);
                s2 = V.MultiplyAdd(y, V.Load(x2, c), s2);
                s3 = V.MultiplyAdd(y, V.Load(x3, c), s3);
            }

            if (c < end)
            {
                int rest = (int)(end - c);
                V y = V.LoadPart(dy, c, rest);
                s0 = V.MultiplyAdd(y, V.LoadPart(x, c, rest), s0);
                s1 = V.MultiplyAdd(y, V.LoadPart(x1, c, rest), s1);
                s2 = V.MultiplyAdd(y, V.LoadPart(x2, c, rest), s2);
                s3 = V.MultiplyAdd(y, V.LoadPart(x3, c, rest), s3);
            }

            sums[0] += V.Sum(s0);
            sums[1] += V.Sum(s1);
            sums[2] += V.Sum(s2);
            sums[3] += V.Sum(s3);
        }
    }
}
