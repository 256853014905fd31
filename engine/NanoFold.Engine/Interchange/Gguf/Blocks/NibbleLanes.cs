using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Sixteen codes at once. A product and a sum are rounded each by itself, as in the scalar form.</summary>
internal static class NibbleLanes
{
    /// <summary>values = (codes − zero) d.</summary>
    /// <param name="codes">16 codes.</param>
    /// <param name="zero">The code of 0.</param>
    /// <param name="d">The scale.</param>
    /// <param name="values">16 values.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(Vector128<byte> codes, int zero, float d, Span<float> values)
    {
        ref float target = ref MemoryMarshal.GetReference(values[..16]);
        Vector128<int> less = Vector128.Create(zero);
        Vector128<float> scale = Vector128.Create(d);
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(codes);
        (Vector128<uint> a, Vector128<uint> b) = Vector128.Widen(low);
        (Vector128<uint> c, Vector128<uint> e) = Vector128.Widen(high);
        (Vector128.ConvertToSingle(a.AsInt32() - less) * scale).StoreUnsafe(ref target);
        (Vector128.ConvertToSingle(b.AsInt32() - less) * scale).StoreUnsafe(ref target, 4);
        (Vector128.ConvertToSingle(c.AsInt32() - less) * scale).StoreUnsafe(ref target, 8);
        (Vector128.ConvertToSingle(e.AsInt32() - less) * scale).StoreUnsafe(ref target, 12);
    }

    /// <summary>values = codes d + m.</summary>
    /// <inheritdoc cref="Scale"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScaleFrom(Vector128<byte> codes, float d, float m, Span<float> values)
    {
        ref float target = ref MemoryMarshal.GetReference(values[..16]);
        Vector128<float> scale = Vector128.Create(d), least = Vector128.Create(m);
        (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(codes);
        (Vector128<uint> a, Vector128<uint> b) = Vector128.Widen(low);
        (Vector128<uint> c, Vector128<uint> e) = Vector128.Widen(high);
        ((Vector128.ConvertToSingle(a.AsInt32()) * scale) + least).StoreUnsafe(ref target);
        ((Vector128.ConvertToSingle(b.AsInt32()) * scale) + least).StoreUnsafe(ref target, 4);
        ((Vector128.ConvertToSingle(c.AsInt32()) * scale) + least).StoreUnsafe(ref target, 8);
        ((Vector128.ConvertToSingle(e.AsInt32()) * scale) + least).StoreUnsafe(ref target, 12);
    }

    /// <summary>values = codes d, of codes with a sign.</summary>
    /// <inheritdoc cref="Scale"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScaleSigned(Vector128<sbyte> codes, float d, Span<float> values)
    {
        ref float target = ref MemoryMarshal.GetReference(values[..16]);
        Vector128<float> scale = Vector128.Create(d);
        (Vector128<short> low, Vector128<short> high) = Vector128.Widen(codes);
        (Vector128<int> a, Vector128<int> b) = Vector128.Widen(low);
        (Vector128<int> c, Vector128<int> e) = Vector128.Widen(high);
        (Vector128.ConvertToSingle(a) * scale).StoreUnsafe(ref target);
        (Vector128.ConvertToSingle(b) * scale).StoreUnsafe(ref target, 4);
        (Vector128.ConvertToSingle(c) * scale).StoreUnsafe(ref target, 8);
        (Vector128.ConvertToSingle(e) * scale).StoreUnsafe(ref target, 12);
    }
}
