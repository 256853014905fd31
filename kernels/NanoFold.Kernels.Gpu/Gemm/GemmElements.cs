using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>
/// Loads, rounds and stores 1, 2, 4 or 8 adjacent elements as floats. With a predicate only where it holds, and 0 elsewhere: what is defined only sometimes
/// keeps its register through all of a loop around it, so inside of loops nothing else than loads and stores is predicated.
/// </summary>
internal static class GemmElements
{
    /// <param name="offset">Bytes from the address.</param>
    public static Reg[] Load(PtxWriter w, GpuType type, Reg address, int offset, int count, Reg? where = null)
    {
        if (count == 1)
        {
            Reg one = Load(w, type == GpuType.Float32 ? RegKind.F32 : RegKind.B16, 1, address, offset, where)[0];
            return [type == GpuType.Float32 ? one : w.Widen(type, one)];
        }

        var values = new List<Reg>(count);
        if (type == GpuType.Float32)
        {
            for (int i = 0; i < count; i += 4)
            {
                values.AddRange(Load(w, RegKind.F32, Math.Min(4, count), address, offset + 4 * i, where));
            }

            return [.. values];
        }

        foreach (Reg pair in Load(w, RegKind.B32, count / 2, address, offset, where))
        {
            (Reg low, Reg high) = w.Unpack(type, pair);
            values.AddRange([low, high]);
        }

        return [.. values];
    }

    /// <param name="offset">Bytes from the address.</param>
    public static void Store(PtxWriter w, GpuType type, Reg address, int offset, Reg[] values, Reg? where = null)
    {
        if (values.Length == 1)
        {
            Store(w, address, offset, [type == GpuType.Float32 ? values[0] : w.Narrow(type, values[0])], where);
        }
        else if (type == GpuType.Float32)
        {
            for (int i = 0; i < values.Length; i += 4)
            {
                Store(w, address, offset + 4 * i, values.AsSpan(i, Math.Min(4, values.Length)), where);
            }
        }
        else
        {
            var pairs = new Reg[values.Length / 2];
            for (int i = 0; i < pairs.Length; i++)
            {
                pairs[i] = w.Pack(type, values[2 * i], values[2 * i + 1]);
            }

            Store(w, address, offset, pairs, where);
        }
    }

    /// <summary>To what a type can hold.</summary>
    public static void Round(PtxWriter w, GpuType type, Reg[] values)
    {
        if (type == GpuType.Float32)
        {
            return;
        }

        if (values.Length == 1)
        {
            values[0] = w.Widen(type, w.Narrow(type, values[0]));
            return;
        }

        for (int i = 0; i < values.Length; i += 2)
        {
            (values[i], values[i + 1]) = w.Unpack(type, w.Pack(type, values[i], values[i + 1]));
        }
    }

    /// <summary>As <see cref="Store(PtxWriter, GpuType, Reg, int, Reg[], Reg?)"/>; <paramref name="values"/> are then what was stored.</summary>
    public static void StoreRounded(PtxWriter w, GpuType type, Reg address, int offset, Reg[] values, Reg where)
    {
        if (type == GpuType.Float32 || values.Length == 1)
        {
            Round(w, type, values);
            Store(w, type, address, offset, values, where);
            return;
        }

        var pairs = new Reg[values.Length / 2];
        for (int i = 0; i < pairs.Length; i++)
        {
            pairs[i] = w.Pack(type, values[2 * i], values[2 * i + 1]);
            (values[2 * i], values[2 * i + 1]) = w.Unpack(type, pairs[i]);
        }

        Store(w, address, offset, pairs, where);
    }

    public static void AddTo(PtxWriter w, Reg[] values, Reg[] others)
    {
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = w.Add(values[i], others[i]);
        }
    }

    private static Reg[] Load(PtxWriter w, RegKind kind, int count, Reg address, int offset, Reg? where)
        => where is { } predicate ? w.LoadGlobalWhere(predicate, kind, count, address, offset) : count == 1 ? [w.LoadGlobal(kind, address, offset)] : w.LoadGlobal(kind, count, address, offset);

    private static void Store(PtxWriter w, Reg address, int offset, ReadOnlySpan<Reg> values, Reg? where)
    {
        if (where is not { } predicate)
        {
            w.StoreGlobal(address, offset, values);
            return;
        }

        using (w.When(predicate))
        {
            w.StoreGlobal(address, offset, values);
        }
    }
}
