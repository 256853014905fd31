using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>
/// outputs[head, d] += Σ_j weights[head, j] · values[j, d] for the heads that share values: each value meets up to three weights, four vectors of it at a time or one vector of
/// four values, so that up to twelve sums are in registers. Distances in bytes.
/// </summary>
internal unsafe struct GroupSums
{
    private const int Strip = 4, LineBytes = 64;

    /// <summary>[Heads, Depth], padded to whole lanes.</summary>
    public byte* Outputs;
    public nint OutputRow;

    /// <summary>[Count, Depth].</summary>
    public byte* Values;
    public nint ValueRow;

    /// <summary>[Heads, Count].</summary>
    public byte* Weights;
    public nint WeightRow;

    /// <summary>Of the values: that of the lane, or one of 16 bits.</summary>
    public DType ValueType;

    /// <summary>How far ahead values are fetched from memory; 0 for not.</summary>
    public nint Ahead;

    public int Heads, Count, Depth;

    public readonly void Run<V>()
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16) && !GroupVectors.AreHalf<V>(Depth))
        {
            Run<Ops512, Vector512<float>>();
        }
        else if (typeof(V) == typeof(Lane16) || typeof(V) == typeof(Lane8))
        {
            Run<Ops256, Vector256<float>>();
        }
        else if (typeof(V) == typeof(Lane4))
        {
            Run<Ops128, Vector128<float>>();
        }
        else if (typeof(V) == typeof(Lane1))
        {
            Run<OpsScalar<float>, float>();
        }
        else
        {
            Run<OpsScalar<double>, double>();
        }
    }

    private readonly void Run<O, V>()
        where O : struct, IVectorOps<V>
        where V : struct
    {
        switch (ValueType)
        {
            case DType.BFloat16:
                Run<O, V, NarrowLoads<BFloatWidening, V>>();
                break;
            case DType.Float16:
                Run<O, V, NarrowLoads<HalfWidening, V>>();
                break;
            default:
                Run<O, V, OwnLoads<O, V>>();
                break;
        }
    }

    private readonly void Run<O, V, B>()
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
    {
        int lanes = (Depth + Lanes<O, V>() - 1) / Lanes<O, V>(), wide = Depth / Lanes<O, V>() / Strip * Strip;
        for (int head = 0; head < Heads;)
        {
            int heads = (Heads - head) switch { 1 => 1, 2 or 4 => 2, _ => 3 };
            // Values come for the first heads.
            nint ahead = head == 0 ? Ahead : 0;
            byte* output = Outputs + (head * OutputRow), weights = Weights + (head * WeightRow);
            for (int lane = 0; lane < lanes; lane += lane < wide ? Strip : 1)
            {
                byte* values = Values + ((nint)lane * Lanes<O, V>() * B.ElementBytes), sums = output + ((nint)lane * O.Bytes);
                // A single head takes both places of two: as fast, as each sum waits for itself.
                nint next = heads == 1 ? 0 : OutputRow, nextWeights = heads == 1 ? 0 : WeightRow;
                if (lane < wide && heads == 3)
                {
                    Three<O, V, B>(values, weights, sums, ahead);
                }
                else if (lane < wide)
                {
                    Two<O, V, B>(values, weights, nextWeights, sums, next, ahead);
                }
                else if (heads == 3)
                {
                    NarrowThree<O, V, B>(values, weights, sums, Depth - (lane * Lanes<O, V>()));
                }
                else
                {
                    NarrowTwo<O, V, B>(values, weights, nextWeights, sums, next, Depth - (lane * Lanes<O, V>()));
                }
            }

            head += heads;
        }
    }

    private readonly void Three<O, V, B>(byte* values, byte* p, byte* output, nint ahead)
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
    {
        byte* output1 = output + OutputRow, output2 = output1 + OutputRow, p1 = p + WeightRow, p2 = p1 + WeightRow;
        V a0 = O.Load(output), a1 = O.Load(output + O.Bytes), a2 = O.Load(output + 2 * O.Bytes), a3 = O.Load(output + 3 * O.Bytes);
        V b0 = O.Load(output1), b1 = O.Load(output1 + O.Bytes), b2 = O.Load(output1 + 2 * O.Bytes), b3 = O.Load(output1 + 3 * O.Bytes);
        V c0 = O.Load(output2), c1 = O.Load(output2 + O.Bytes), c2 = O.Load(output2 + 2 * O.Bytes), c3 = O.Load(output2 + 3 * O.Bytes);
        nint step = O.ElementBytes, end = Count * step, width = Lanes<O, V>() * B.ElementBytes;
        for (nint j = 0; j < end; j += step, values += ValueRow)
        {
            Fetch(values + ahead, width);
            V x = O.Splat(p + j), y = O.Splat(p1 + j), z = O.Splat(p2 + j);
            Add<O, V>(x, y, z, B.Load(values), ref a0, ref b0, ref c0);
            Add<O, V>(x, y, z, B.Load(values + width), ref a1, ref b1, ref c1);
            Add<O, V>(x, y, z, B.Load(values + 2 * width), ref a2, ref b2, ref c2);
            Add<O, V>(x, y, z, B.Load(values + 3 * width), ref a3, ref b3, ref c3);
        }

        Store<O, V>(output, a0, a1, a2, a3);
        Store<O, V>(output1, b0, b1, b2, b3);
        Store<O, V>(output2, c0, c1, c2, c3);
    }

    private readonly void Two<O, V, B>(byte* values, byte* p, nint weightRow, byte* output, nint outputRow, nint ahead)
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
    {
        byte* output1 = output + outputRow, p1 = p + weightRow;
        V a0 = O.Load(output), a1 = O.Load(output + O.Bytes), a2 = O.Load(output + 2 * O.Bytes), a3 = O.Load(output + 3 * O.Bytes);
        V b0 = O.Load(output1), b1 = O.Load(output1 + O.Bytes), b2 = O.Load(output1 + 2 * O.Bytes), b3 = O.Load(output1 + 3 * O.Bytes);
        nint step = O.ElementBytes, end = Count * step, width = Lanes<O, V>() * B.ElementBytes;
        for (nint j = 0; j < end; j += step, values += ValueRow)
        {
            Fetch(values + ahead, width);
            V x = O.Splat(p + j), y = O.Splat(p1 + j);
            Add<O, V>(x, y, B.Load(values), ref a0, ref b0);
            Add<O, V>(x, y, B.Load(values + width), ref a1, ref b1);
            Add<O, V>(x, y, B.Load(values + 2 * width), ref a2, ref b2);
            Add<O, V>(x, y, B.Load(values + 3 * width), ref a3, ref b3);
        }

        Store<O, V>(output, a0, a1, a2, a3);
        Store<O, V>(output1, b0, b1, b2, b3);
    }

    /// <summary>One vector of the values: four sums over the keys for each head, as each would wait for the addition before.</summary>
    /// <param name="rest">Elements that are left.</param>
    private readonly void NarrowThree<O, V, B>(byte* values, byte* p, byte* output, int rest)
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
    {
        byte* output1 = output + OutputRow, output2 = output1 + OutputRow, p1 = p + WeightRow, p2 = p1 + WeightRow;
        V a0 = O.Load(output), a1 = O.Zero, a2 = O.Zero, a3 = O.Zero;
        V b0 = O.Load(output1), b1 = O.Zero, b2 = O.Zero, b3 = O.Zero;
        V c0 = O.Load(output2), c1 = O.Zero, c2 = O.Zero, c3 = O.Zero;
        nint step = O.ElementBytes, end = Count * step, j = 0;
        for (; j <= end - (Strip * step); j += Strip * step, values += Strip * ValueRow)
        {
            Add<O, V>(O.Splat(p + j), O.Splat(p1 + j), O.Splat(p2 + j), Load<O, V, B>(values, rest), ref a0, ref b0, ref c0);
            Add<O, V>(O.Splat(p + j + step), O.Splat(p1 + j + step), O.Splat(p2 + j + step), Load<O, V, B>(values + ValueRow, rest), ref a1, ref b1, ref c1);
            Add<O, V>(O.Splat(p + j + 2 * step), O.Splat(p1 + j + 2 * step), O.Splat(p2 + j + 2 * step), Load<O, V, B>(values + 2 * ValueRow, rest), ref a2, ref b2, ref c2);
            Add<O, V>(O.Splat(p + j + 3 * step), O.Splat(p1 + j + 3 * step), O.Splat(p2 + j + 3 * step), Load<O, V, B>(values + 3 * ValueRow, rest), ref a3, ref b3, ref c3);
        }

        for (; j < end; j += step, values += ValueRow)
        {
            Add<O, V>(O.Splat(p + j), O.Splat(p1 + j), O.Splat(p2 + j), Load<O, V, B>(values, rest), ref a0, ref b0, ref c0);
        }

        O.Store(output, O.Add(O.Add(a0, a1), O.Add(a2, a3)));
        O.Store(output1, O.Add(O.Add(b0, b1), O.Add(b2, b3)));
        O.Store(output2, O.Add(O.Add(c0, c1), O.Add(c2, c3)));
    }

    private readonly void NarrowTwo<O, V, B>(byte* values, byte* p, nint weightRow, byte* output, nint outputRow, int rest)
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
    {
        byte* output1 = output + outputRow, p1 = p + weightRow;
        V a0 = O.Load(output), a1 = O.Zero, a2 = O.Zero, a3 = O.Zero;
        V b0 = O.Load(output1), b1 = O.Zero, b2 = O.Zero, b3 = O.Zero;
        nint step = O.ElementBytes, end = Count * step, j = 0;
        for (; j <= end - (Strip * step); j += Strip * step, values += Strip * ValueRow)
        {
            Add<O, V>(O.Splat(p + j), O.Splat(p1 + j), Load<O, V, B>(values, rest), ref a0, ref b0);
            Add<O, V>(O.Splat(p + j + step), O.Splat(p1 + j + step), Load<O, V, B>(values + ValueRow, rest), ref a1, ref b1);
            Add<O, V>(O.Splat(p + j + 2 * step), O.Splat(p1 + j + 2 * step), Load<O, V, B>(values + 2 * ValueRow, rest), ref a2, ref b2);
            Add<O, V>(O.Splat(p + j + 3 * step), O.Splat(p1 + j + 3 * step), Load<O, V, B>(values + 3 * ValueRow, rest), ref a3, ref b3);
        }

        for (; j < end; j += step, values += ValueRow)
        {
            Add<O, V>(O.Splat(p + j), O.Splat(p1 + j), Load<O, V, B>(values, rest), ref a0, ref b0);
        }

        O.Store(output, O.Add(O.Add(a0, a1), O.Add(a2, a3)));
        O.Store(output1, O.Add(O.Add(b0, b1), O.Add(b2, b3)));
    }

    // Four vectors, each of so many bytes. A hint only: addresses past the end do no harm.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* values, nint width)
    {
        if (width >= LineBytes / 2)
        {
            Prefetch.Line(values);
            Prefetch.Line(values + 2 * width);
        }

        if (width == LineBytes)
        {
            Prefetch.Line(values + width);
            Prefetch.Line(values + 3 * width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Load<O, V, B>(byte* source, int rest)
        where O : struct, IVectorOps<V>
        where V : struct
        where B : struct, IRowLoads<V>
        => rest >= Lanes<O, V>() ? B.Load(source) : B.LoadPart(source, rest);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<O, V>(byte* target, V a, V b, V c, V d)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        O.Store(target, a);
        O.Store(target + O.Bytes, b);
        O.Store(target + 2 * O.Bytes, c);
        O.Store(target + 3 * O.Bytes, d);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<O, V>(V x, V y, V value, ref V a, ref V b)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        a = O.MultiplyAdd(x, value, a);
        b = O.MultiplyAdd(y, value, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<O, V>(V x, V y, V z, V value, ref V a, ref V b, ref V c)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        a = O.MultiplyAdd(x, value, a);
        b = O.MultiplyAdd(y, value, b);
        c = O.MultiplyAdd(z, value, c);
    }

    private static int Lanes<O, V>()
        where O : struct, IVectorOps<V>
        where V : struct
        => O.Bytes / O.ElementBytes;
}
