using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// One place of <see cref="WkvCall"/>. The sums are n · eᵖ and d · eᵖ with p the largest exponent of what they hold; where they hold nothing p is <see cref="Empty"/>.
/// No exponential here is of anything above 0.
/// </summary>
internal static class WkvStep
{
    /// <summary>An exponent so low that its power is 0 beside any other.</summary>
    public const double Empty = -1e30;

    /// <summary>y, before the place joins the sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Read<V>(V k, V v, V bonus, V n, V d, V p)
        where V : struct, ILane<V>
    {
        Shares(k, bonus, d, p, out _, out V before, out V own, out V sum);
        return V.MultiplyAdd(before, n, own * v) / sum;
    }

    /// <summary>The sums after the place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<V>(V k, V v, V rate, ref V n, ref V d, ref V p)
        where V : struct, ILane<V>
    {
        V faded = p - rate, most = V.Max(faded, k), before = V.Exp(faded - most), own = V.Exp(k - most);
        n = V.MultiplyAdd(before, n, own * v);
        d = V.MultiplyAdd(before, d, own);
        p = most;
    }

    /// <summary>The gradients of a place, and what goes from it to the one before.</summary>
    /// <param name="place">k, v, dy and the sums before the place.</param>
    /// <param name="bonus">u.</param>
    /// <param name="rate">e^decay.</param>
    /// <param name="after">What comes from the place after; becomes what goes to the one before.</param>
    /// <param name="totals">Gradients of bonus and rate, which grow.</param>
    /// <param name="dv">dv.</param>
    /// <returns>dk.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Back<V>(in WkvPlace<V> place, V bonus, V rate, ref WkvAfter<V> after, ref WkvTotals<V> totals, out V dv)
        where V : struct, ILane<V>
    {
        (V k, V v, V n, V d, V p) = (place.K, place.Value, place.N, place.D, place.P);
        Shares(k, bonus, d, p, out V most, out V before, out V own, out V sum);
        V y = V.MultiplyAdd(before, n, own * v) / sum, share = place.DY / sum, direct = own * share * (v - y);
        V join = V.Exp(after.P + k), joined = join * V.MultiplyAdd(after.N, v, after.D);
        dv = V.MultiplyAdd(after.N, join, own * share);
        totals.Bonus += direct;
        totals.Rate -= V.Exp(after.P + p - rate) * V.MultiplyAdd(after.N, n, after.D * d);
        V faded = after.P - rate, largest = V.Max(faded, -most), kept = V.Exp(faded - largest), added = share * V.Exp(-most - largest);
        after.N = V.MultiplyAdd(kept, after.N, added);
        after.D = V.MultiplyAdd(kept, after.D, -(added * y));
        after.P = largest;
        return direct + joined;
    }

    // y = (before · n + own · v) / sum, all of them divided by e^most.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Shares<V>(V k, V bonus, V d, V p, out V most, out V before, out V own, out V sum)
        where V : struct, ILane<V>
    {
        V weight = bonus + k;
        most = V.Max(p, weight);
        before = V.Exp(p - most);
        own = V.Exp(weight - most);
        sum = V.MultiplyAdd(before, d, own);
    }
}

/// <summary>A place and the sums before it.</summary>
internal struct WkvPlace<V>
    where V : struct, ILane<V>
{
    public V K, Value, DY, N, D, P;
}

/// <summary>The gradients of the sums after a place, N · eᴾ and D · eᴾ; <see cref="WkvStep.Empty"/> where there are none.</summary>
internal struct WkvAfter<V>
    where V : struct, ILane<V>
{
    public V N, D, P;
}

/// <summary>Gradients of what all places share.</summary>
internal struct WkvTotals<V>
    where V : struct, ILane<V>
{
    public V Bonus, Rate;
}
