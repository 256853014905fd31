namespace NanoFold.Kernels.Gpu.Ptx;

/// <summary>
/// Products by a warpgroup (four warps, of which the first has a number divisible by 4) on the tensor cores of compute capability 9.0, from operands in shared memory.
/// Lane (g = lane / 4, t = lane % 4) of warp w has of the sums [64, n]: registers 4j .. 4j + 3 are (row 16w + g, columns 8j + 2t and 8j + 2t + 1) and the same eight rows below.
/// </summary>
internal static class PtxWgmma
{
    /// <summary>Bytes of a row in shared memory, in 16-byte chunks of which the number is crossed with the row's (mod 8): what a tensor map calls a swizzle of 128 bytes.</summary>
    public const int RowBytes = 128;

    /// <summary>Eight such rows: what descriptors count in.</summary>
    private const int AtomBytes = 8 * RowBytes;

    /// <summary>
    /// Describes an operand at an address in shared memory. Rows of it are either along the depth (64 elements; 8 rows of m or n an atom, atoms follow one another),
    /// or along m or n (64 elements; 8 steps of depth an atom, <paramref name="depth"/> steps, then the next 64 of m or n). A step of 16 of the depth is <see cref="Step"/> further.
    /// </summary>
    public static Reg[] Descriptor(this PtxWriter w, Reg address, bool alongDepth, int depth)
    {
        // Address, the way to the next 64 of m or n, and the way to the next atom, all over 16; then the kind of swizzle.
        const int Atom = AtomBytes >> 4, Swizzle128 = 1 << 30;
        int leading = alongDepth ? 1 : depth * RowBytes >> 4;
        Reg place = w.Shr(address, 4);
        if (w.Cluster > 1)
        {
            // Without the block's rank, which stands above.
            place = w.And(place, 0x3fff);
        }

        return [w.Or(place, leading << 16), w.Const(Atom | Swizzle128)];
    }

    /// <summary>What is added to a descriptor's first half for the next 16 of the depth.</summary>
    public static int Step(bool alongDepth) => (alongDepth ? 32 : 2 * AtomBytes) >> 4;

    /// <summary>Both halves as one register, the first of them <paramref name="offset"/> (over 16) further.</summary>
    public static Reg At(this PtxWriter w, Reg[] descriptor, int offset)
    {
        Reg both = w.New(RegKind.B64);
        w.Emit($"mov.b64 {both}, {{{(offset == 0 ? descriptor[0] : w.Add(descriptor[0], offset))}, {descriptor[1]}}}");
        return both;
    }

    /// <summary>Before the first product, and where sums were touched by other instructions.</summary>
    public static void FenceSums(this PtxWriter w) => w.Emit("wgmma.fence.sync.aligned");

    /// <summary>sums [64, n] += a [64, 16] · b [16, n], in the background; where <paramref name="adds"/> does not hold, the sums are the product alone.</summary>
    public static void MultiplyGroup(this PtxWriter w, GpuType type, ReadOnlySpan<Reg> sums, Reg a, Reg b, Reg adds, bool alongDepthA, bool alongDepthB)
    {
        string name = Name(type);
        w.Emit($"wgmma.mma_async.sync.aligned.m64n{2 * sums.Length}k16.f32.{name}.{name} {{{PtxMemory.Join(sums)}}}, {a}, {b}, {adds}, 1, 1, {(alongDepthA ? 0 : 1)}, {(alongDepthB ? 0 : 1)}");
    }

    /// <summary>
    /// The same of an operand a in registers, as <see cref="PtxTensor"/> has it of each warp's 16 rows. Until the products are waited for nobody may touch these registers,
    /// and between what was written to them and the products a <see cref="FenceSums"/> must stand.
    /// </summary>
    public static void MultiplyGroup(this PtxWriter w, GpuType type, ReadOnlySpan<Reg> sums, ReadOnlySpan<Reg> a, Reg b, Reg adds, bool alongDepthB)
    {
        string name = Name(type);
        w.Emit($"wgmma.mma_async.sync.aligned.m64n{2 * sums.Length}k16.f32.{name}.{name} {{{PtxMemory.Join(sums)}}}, {{{PtxMemory.Join(a)}}}, {b}, {adds}, 1, 1, {(alongDepthB ? 0 : 1)}");
    }

    public static void CommitProducts(this PtxWriter w) => w.Emit("wgmma.commit_group.sync.aligned");

    /// <summary>Waits until at most <paramref name="pending"/> of the newest groups are under way; sums may be used when none is.</summary>
    public static void WaitProducts(this PtxWriter w, int pending) => w.Emit($"wgmma.wait_group.sync.aligned {pending}");

    private static string Name(GpuType type) => type == GpuType.BFloat16 ? "bf16" : "f16";
}
