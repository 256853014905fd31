namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>Parameters, global and shared memory, asynchronous copies and barriers. Addresses are bytes: 64 bits in global, 32 bits in shared memory.</summary>
internal static class PtxMemory
{
    /// <summary>The field at a byte offset of the struct of arguments.</summary>
    public static Reg Argument(this PtxWriter w, RegKind kind, int offset)
    {
        Reg result = w.New(kind);
        w.Emit($"ld.param.{(kind == RegKind.F32 ? "f32" : kind == RegKind.B64 ? "b64" : "b32")} {result}, [arguments+{offset}]");
        return result;
    }

    public static Reg LoadGlobal(this PtxWriter w, RegKind kind, Reg address, int offset = 0)
        => Load(w, "ld.global", kind, 1, address, offset)[0];

    /// <summary>Loads 2 or 4 adjacent registers' worth; the address is a multiple of all their bytes.</summary>
    public static Reg[] LoadGlobal(this PtxWriter w, RegKind kind, int count, Reg address, int offset = 0)
        => Load(w, "ld.global", kind, count, address, offset);

    /// <summary>As above where the predicate holds, 0 elsewhere.</summary>
    public static Reg[] LoadGlobalWhere(this PtxWriter w, Reg predicate, RegKind kind, int count, Reg address, int offset = 0)
    {
        Reg[] values = w.New(kind, count);
        foreach (Reg value in values)
        {
            w.Set(value, kind == RegKind.F32 ? (Operand)0f : 0);
        }

        using (w.When(predicate))
        {
            w.Emit($"ld.global{Width(count)}.{Type(kind)} {List(values)}, {Address(address, offset)}");
        }

        return values;
    }

    public static void StoreGlobal(this PtxWriter w, Reg address, int offset, params ReadOnlySpan<Reg> values)
        => Store(w, "st.global", address, offset, values);

    public static Reg LoadShared(this PtxWriter w, RegKind kind, Reg address, int offset = 0)
        => Load(w, "ld.shared", kind, 1, address, offset)[0];

    public static Reg[] LoadShared(this PtxWriter w, RegKind kind, int count, Reg address, int offset = 0)
        => Load(w, "ld.shared", kind, count, address, offset);

    public static void StoreShared(this PtxWriter w, Reg address, int offset, params ReadOnlySpan<Reg> values)
        => Store(w, "st.shared", address, offset, values);

    /// <summary>
    /// Copies 16 (past the first-level cache), 8 or 4 bytes from global to shared memory in the background. Of them only the first
    /// <paramref name="sourceBytes"/> are read, the others are zero: with a <c>Select</c> of all or nothing this is free, other amounts cost four instructions.
    /// </summary>
    public static void CopyAsync(this PtxWriter w, Reg shared, int sharedOffset, Reg global, int globalOffset, int bytes, Operand? sourceBytes = null)
    {
        string size = sourceBytes is { } source ? $", {source}" : "";
        w.Emit($"cp.async.{(bytes == 16 ? "cg" : "ca")}.shared.global {Address(shared, sharedOffset)}, {Address(global, globalOffset)}, {bytes}{size}");
    }

    /// <summary>Ends a group of copies.</summary>
    public static void CommitCopies(this PtxWriter w) => w.Emit("cp.async.commit_group");

    /// <summary>Waits until at most <paramref name="pending"/> of this thread's newest groups are under way; a barrier makes them visible to the others.</summary>
    public static void WaitCopies(this PtxWriter w, int pending) => w.Emit($"cp.async.wait_group {pending}");

    /// <summary>All threads of the block meet.</summary>
    public static void Barrier(this PtxWriter w) => w.Emit("bar.sync 0");

    /// <summary>All threads of the warp meet, and see each other's shared memory.</summary>
    public static void WarpBarrier(this PtxWriter w) => w.Emit("bar.warp.sync -1");

    private static Reg[] Load(PtxWriter w, string opcode, RegKind kind, int count, Reg address, int offset)
    {
        Reg[] values = w.New(kind, count);
        w.Emit($"{opcode}{Width(count)}.{Type(kind)} {List(values)}, {Address(address, offset)}");
        return values;
    }

    private static void Store(PtxWriter w, string opcode, Reg address, int offset, ReadOnlySpan<Reg> values)
        => w.Emit($"{opcode}{Width(values.Length)}.{Type(values[0].Kind)} {Address(address, offset)}, {List(values)}");

    private static string Width(int count) => count == 1 ? "" : $".v{count}";

    private static string Type(RegKind kind) => kind.ToString().ToLowerInvariant();

    private static string Address(Reg address, int offset) => offset == 0 ? $"[{address}]" : $"[{address}+{offset}]";

    private static string List(ReadOnlySpan<Reg> values) => values.Length == 1 ? values[0].ToString() : $"{{{Join(values)}}}";

    internal static string Join(ReadOnlySpan<Reg> values)
    {
        var names = new string[values.Length];
        for (int i = 0; i < names.Length; i++)
        {
            names[i] = values[i].ToString();
        }

        return string.Join(", ", names);
    }
}
