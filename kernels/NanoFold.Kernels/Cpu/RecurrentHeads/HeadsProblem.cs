using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>Checked arguments of recurrent heads, as plain sizes and addresses.</summary>
internal readonly unsafe struct HeadsProblem
{
    public readonly int Batch, Time, Groups, Heads, KeyWidth, ValueWidth;
    public readonly HeadDecay Decay;
    public readonly HeadRows Q, K, V;
    public readonly PlaceValues Beta, Decays;
    public readonly double Scale;
    private readonly void* _continues, _initial;

    public HeadsProblem(string op, in RecurrentHeadsArgs args)
    {
        CpuContext.Require(args.Q.Type);
        var shape = new RecurrentHeadsShape(op, args);
        Batch = shape.Batch;
        Time = shape.Time;
        Groups = shape.Groups;
        Heads = shape.Heads;
        KeyWidth = shape.KeyWidth;
        ValueWidth = shape.ValueWidth;
        Decay = shape.Decay;
        Q = new HeadRows(args.Q);
        K = new HeadRows(args.K);
        V = new HeadRows(args.V);
        Beta = new PlaceValues(args.Beta);
        Decays = new PlaceValues(args.Decay);
        Scale = args.Scale;
        _continues = args.Continues.Address;
        _initial = args.Initial.Address;
    }

    public bool HasBeta => !Beta.IsNone;

    /// <summary>Whether a state comes to the first place.</summary>
    public bool HasInitial => _initial is not null;

    /// <summary>Whether factors other than 1 come up: of the decay, or 0 where something begins.</summary>
    public bool Fades => Decay != HeadDecay.None || _continues is not null;

    /// <summary>The head of q and k that a head meets.</summary>
    public int Group(int head) => head / (Heads / Groups);

    /// <summary>Whether the state goes on from the place before.</summary>
    public bool Continues<V>(int batch, int time)
        where V : struct, ICpuLane<V>
        => _continues is null || Element.Get<V>(_continues, ((nint)batch * Time) + time) != 0;

    /// <summary>The state that comes to the first place, or null.</summary>
    public void* Initial<V>(int batch, int head)
        where V : struct, ICpuLane<V>
        => State<V>(_initial, batch, head);

    /// <summary>One of states [B, H, DK, DV], or null for none.</summary>
    public void* State<V>(void* states, int batch, int head)
        where V : struct, ICpuLane<V>
        => states is null ? null : Element.At<V>(states, (((nint)batch * Heads) + head) * KeyWidth * ValueWidth);
}

/// <summary>What places and heads have, a value each or some side by side: [B, T, H], [B, T, H, N], or [H] for all places; or none.</summary>
internal readonly unsafe struct PlaceValues(in View view)
{
    private readonly void* _start = view.Address;
    private readonly nint _batch = view.IsNone || view.Layout.Rank == 1 ? 0 : (nint)view.Layout.Stride(0);
    /// <summary>Elements between neighbors in time.</summary>
    public readonly nint Time = view.IsNone || view.Layout.Rank == 1 ? 0 : (nint)view.Layout.Stride(1);
    private readonly nint _head = view.IsNone ? 0 : (nint)view.Layout.Stride(view.Layout.Rank == 1 ? 0 : 2);

    public bool IsNone => _start is null;

    public void* At<V>(int batch, int time, int head)
        where V : struct, ICpuLane<V>
        => Element.At<V>(_start, (batch * _batch) + (time * Time) + (head * _head));

    public double Get<V>(int batch, int time, int head)
        where V : struct, ICpuLane<V>
        => Element.Get<V>(At<V>(batch, time, head), 0);
}
