using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>One place of one head: its state [DK, DV], read and written once, and what it meets.</summary>
internal unsafe struct StepColumns
{
    public required void* State;

    /// <summary>What each row of the state is multiplied with first.</summary>
    public required void* Factors;

    public required void* Q;
    public required void* K;
    public required void* Values;
    public required void* Y;
    public required int Depth;
    public required int Width;
    public required bool HasBeta;
    public required double Beta;
    public required double Scale;

    /// <summary>k · q, of the delta rule.</summary>
    public double Meeting;

    public readonly void Run<V>()
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i + (4 * V.Width) <= Width; i += 4 * V.Width)
        {
            Four<V>(i);
        }

        for (; i + V.Width <= Width; i += V.Width)
        {
            One<V, Whole<V>>(i, V.Width);
        }

        if (i < Width)
        {
            One<V, Part<V>>(i, (int)(Width - i));
        }
    }

    /// <summary>Four lanes of columns of the state, down all of its rows: memory is read as it lies, and no sum waits for the one before.</summary>
    private readonly void Four<V>(nint column)
        where V : struct, ICpuLane<V>
    {
        nint w = V.Width, rowBytes = Width * Element.Size<V>();
        int depth = Depth;
        byte* state = (byte*)Element.At<V>(State, column);
        void* factors = Factors, k = K, q = Q, added = Element.At<V>(Values, column), y = Element.At<V>(Y, column);
        V u0 = V.Load(added, 0), u1 = V.Load(added, w), u2 = V.Load(added, 2 * w), u3 = V.Load(added, 3 * w);
        V y0 = V.Constant(0), y1 = y0, y2 = y0, y3 = y0;
        if (HasBeta)
        {
            V r0 = y0, r1 = y0, r2 = y0, r3 = y0;
            byte* row = state;
            for (nint d = 0; d < depth; d++, row += rowBytes)
            {
                V factor = V.Splat(factors, d), ofKey = V.Splat(k, d) * factor, ofQuery = V.Splat(q, d) * factor;
                V s0 = V.Load(row, 0), s1 = V.Load(row, w), s2 = V.Load(row, 2 * w), s3 = V.Load(row, 3 * w);
                r0 = V.MultiplyAdd(ofKey, s0, r0);
                r1 = V.MultiplyAdd(ofKey, s1, r1);
                r2 = V.MultiplyAdd(ofKey, s2, r2);
                r3 = V.MultiplyAdd(ofKey, s3, r3);
                y0 = V.MultiplyAdd(ofQuery, s0, y0);
                y1 = V.MultiplyAdd(ofQuery, s1, y1);
                y2 = V.MultiplyAdd(ofQuery, s2, y2);
                y3 = V.MultiplyAdd(ofQuery, s3, y3);
            }

            V beta = V.Constant(Beta);
            u0 = beta * (u0 - r0);
            u1 = beta * (u1 - r1);
            u2 = beta * (u2 - r2);
            u3 = beta * (u3 - r3);
            row = state;
            for (nint d = 0; d < depth; d++, row += rowBytes)
            {
                V factor = V.Splat(factors, d), key = V.Splat(k, d);
                V.Store(row, 0, V.MultiplyAdd(key, u0, V.Load(row, 0) * factor));
                V.Store(row, w, V.MultiplyAdd(key, u1, V.Load(row, w) * factor));
                V.Store(row, 2 * w, V.MultiplyAdd(key, u2, V.Load(row, 2 * w) * factor));
                V.Store(row, 3 * w, V.MultiplyAdd(key, u3, V.Load(row, 3 * w) * factor));
            }

            V meeting = V.Constant(Meeting);
            y0 = V.MultiplyAdd(meeting, u0, y0);
            y1 = V.MultiplyAdd(meeting, u1, y1);
            y2 = V.MultiplyAdd(meeting, u2, y2);
            y3 = V.MultiplyAdd(meeting, u3, y3);
        }
        else
        {
            byte* row = state;
            for (nint d = 0; d < depth; d++, row += rowBytes)
            {
                V factor = V.Splat(factors, d), key = V.Splat(k, d), query = V.Splat(q, d);
                V s0 = V.MultiplyAdd(key, u0, V.Load(row, 0) * factor), s1 = V.MultiplyAdd(key, u1, V.Load(row, w) * factor);
                V s2 = V.MultiplyAdd(key, u2, V.Load(row, 2 * w) * factor), s3 = V.MultiplyAdd(key, u3, V.Load(row, 3 * w) * factor);
                V.Store(row, 0, s0);
                V.Store(row, w, s1);
                V.Store(row, 2 * w, s2);
                V.Store(row, 3 * w, s3);
                y0 = V.MultiplyAdd(query, s0, y0);
                y1 = V.MultiplyAdd(query, s1, y1);
                y2 = V.MultiplyAdd(query, s2, y2);
                y3 = V.MultiplyAdd(query, s3, y3);
            }
        }

        V scale = V.Constant(Scale);
        V.Store(y, 0, scale * y0);
        V.Store(y, w, scale * y1);
        V.Store(y, 2 * w, scale * y2);
        V.Store(y, 3 * w, scale * y3);
    }

    /// <summary>A lane of columns of the state, down all of its rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void One<V, P>(nint column, int count)
        where V : struct, ICpuLane<V>
        where P : struct, IPiece<V>
    {
        V added = P.Load(Values, column, count), y = V.Constant(0), scale = V.Constant(Scale);
        if (HasBeta)
        {
            V read = V.Constant(0);
            for (nint d = 0; d < Depth; d++)
            {
                V faded = P.Load(Element.At<V>(State, d * Width), column, count) * V.Splat(Factors, d);
                read = V.MultiplyAdd(V.Splat(K, d), faded, read);
                y = V.MultiplyAdd(V.Splat(Q, d), faded, y);
            }

            added = V.Constant(Beta) * (added - read);
            P.Store(Y, column, count, scale * V.MultiplyAdd(V.Constant(Meeting), added, y));
        }

        for (nint d = 0; d < Depth; d++)
        {
            void* row = Element.At<V>(State, d * Width);
            V next = V.MultiplyAdd(V.Splat(K, d), added, P.Load(row, column, count) * V.Splat(Factors, d));
            P.Store(row, column, count, next);
            y = V.MultiplyAdd(V.Splat(Q, d), next, y);
        }

        if (!HasBeta)
        {
            P.Store(Y, column, count, scale * y);
        }
    }
}
