using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>The plain recurrent network of Elman: h' = tanh(x + W h + b).</summary>
public readonly struct Rnn : IRecurrentCell
{
    public static string Name => "rnn";

    public static int Gates => 1;

    public static int States => 1;

    public static int Saved => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Forward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellStep<V>
        => step.Set(0, V.Tanh(step.Input(0) + step.Hidden(0)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Backward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellGradient<V>
    {
        V h = step.After, gradient = step.Gradient(0) * (V.Constant(1) - h * h);
        step.SetGate(0, gradient, gradient);
        step.Set(0, V.Constant(0));
    }
}

/// <summary>
/// The gated recurrent unit, gates in the order r, z, n (arXiv 1406.1078, as PyTorch and cuDNN have it):
/// r = σ(x_r + W_r h + b_r), z = σ(x_z + W_z h + b_z), n = tanh(x_n + r ⊙ (W_n h + b_n)), h' = (1 − z) ⊙ n + z ⊙ h.
/// </summary>
public readonly struct Gru : IRecurrentCell
{
    private const int R = 0, Z = 1, N = 2, Candidate = 3;

    public static string Name => "gru";

    public static int Gates => 3;

    public static int States => 1;

    public static int Saved => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Forward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellStep<V>
    {
        V r = LaneFormulas.Sigmoid(step.Input(R) + step.Hidden(R)), z = LaneFormulas.Sigmoid(step.Input(Z) + step.Hidden(Z)), candidate = step.Hidden(N);
        V n = V.Tanh(V.MultiplyAdd(r, candidate, step.Input(N)));
        step.Save(R, r);
        step.Save(Z, z);
        step.Save(N, n);
        step.Save(Candidate, candidate);
        step.Set(0, V.MultiplyAdd(z, step.State(0) - n, n));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Backward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellGradient<V>
    {
        V r = step.Saved(R), z = step.Saved(Z), n = step.Saved(N), one = V.Constant(1), gradient = step.Gradient(0);
        V dN = gradient * (one - z) * (one - n * n);
        V dR = dN * step.Saved(Candidate) * r * (one - r);
        V dZ = gradient * (step.Before - n) * z * (one - z);
        step.SetGate(R, dR, dR);
        step.SetGate(Z, dZ, dZ);
        step.SetGate(N, dN, dN * r);
        step.Set(0, gradient * z);
    }
}

/// <summary>
/// Long short-term memory, gates in the order i, f, g, o (as PyTorch and cuDNN have it): c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g), h' = σ(o) ⊙ tanh(c'), each gate x + W h + b.
/// The state is h, then c.
/// </summary>
public readonly struct Lstm : IRecurrentCell
{
    private const int I = 0, F = 1, G = 2, O = 3, CellBefore = 4;

    public static string Name => "lstm";

    public static int Gates => 4;

    public static int States => 2;

    public static int Saved => 5;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Forward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellStep<V>
    {
        V i = LaneFormulas.Sigmoid(step.Input(I) + step.Hidden(I)), f = LaneFormulas.Sigmoid(step.Input(F) + step.Hidden(F));
        V g = V.Tanh(step.Input(G) + step.Hidden(G)), o = LaneFormulas.Sigmoid(step.Input(O) + step.Hidden(O)), before = step.State(1);
        V cell = V.MultiplyAdd(f, before, i * g);
        step.Save(I, i);
        step.Save(F, f);
        step.Save(G, g);
        step.Save(O, o);
        step.Save(CellBefore, before);
        step.Set(0, o * V.Tanh(cell));
        step.Set(1, cell);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Backward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellGradient<V>
    {
        V i = step.Saved(I), f = step.Saved(F), g = step.Saved(G), o = step.Saved(O), before = step.Saved(CellBefore), one = V.Constant(1);
        V tanh = V.Tanh(V.MultiplyAdd(f, before, i * g)), gradient = step.Gradient(0);
        V dCell = V.MultiplyAdd(gradient * o, one - tanh * tanh, step.Gradient(1));
        V dI = dCell * g * i * (one - i), dF = dCell * before * f * (one - f), dG = dCell * i * (one - g * g), dO = gradient * tanh * o * (one - o);
        step.SetGate(I, dI, dI);
        step.SetGate(F, dF, dF);
        step.SetGate(G, dG, dG);
        step.SetGate(O, dO, dO);
        step.Set(0, V.Constant(0));
        step.Set(1, dCell * f);
    }
}
