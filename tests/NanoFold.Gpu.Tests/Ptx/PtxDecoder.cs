using System.Numerics;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using NanoFold.Gpu.Tests.Ptx.Clusters;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Turns an instruction into what it does to a warp.</summary>
internal sealed class PtxDecoder(PtxMachine machine)
{
    public Action<PtxWarp> Decode(Instruction i)
    {
        string[] parts = i.Parts;
        return parts[0] switch
        {
            "mov" => Move(i),
            "ret" => w => w.Live &= ~w.Active,
            "trap" => _ => throw new InvalidOperationException("trap"),
            "membar" => _ => { },
            "bra" => Branch(i),
            "bar" => parts[1] == "sync" ? Barrier(i) : w => w.Order?.Meet(),
            "ld" or "atom" or "red" when AtomicSteps.Is(i) => AtomicSteps.Decode(machine, i),
            "ld" => parts[1] == "param" ? PtxAccessSteps.LoadArgument(machine, i) : PtxAccessSteps.Access(machine, i, isLoad: true),
            "st" => PtxAccessSteps.Access(machine, i, isLoad: false),
            "cp" => parts.Contains("bulk") ? BulkSteps.Decode(machine, i) : PtxCopySteps.Decode(machine, i),
            "ldmatrix" => PtxTensorSteps.LoadMatrix(machine, i),
            "stmatrix" => PtxTensorSteps.StoreMatrix(machine, i),
            "mapa" or "barrier" => ClusterSteps.Decode(machine, i),
            "mbarrier" => i.Opcode.Contains("shared::cluster", StringComparison.Ordinal) ? ClusterSteps.Decode(machine, i) : MbarrierSteps.Decode(machine, i),
            "wgmma" => WgmmaSteps.Decode(machine, i),
            "fence" or "setmaxnreg" or "elect" => RoleSteps.Decode(machine, i),
            "griddepcontrol" => Depend(i),
            "mma" => PtxTensorSteps.Multiply(i),
            "shfl" => Shuffle(i),
            "vote" => Vote(i),
            "setp" => Compute(i, PtxFormulas.Relation(i.Parts[1], i.Parts[2])),
            "selp" => Compute(i, PtxFormulas.Select),
            _ => Compute(i, PtxFormulas.Find(i.Opcode)),
        };
    }

    internal static ulong Value(PtxWarp w, Arg arg, int lane) => arg.Register >= 0 ? w[arg.Register, lane] : (ulong)arg.Number;

    /// <summary>What is set in each active lane.</summary>
    private static Action<PtxWarp> Compute(Instruction i, PtxFormulas.Formula formula)
    {
        int target = i.Operands[0][0].Register;
        PtxOperand a = Operand(i, 1), b = Operand(i, 2), c = Operand(i, 3);
        ulong bits = Bits(i);
        return w => formula(w.Values(target), a.Of(w), b.Of(w), c.Of(w), w.Active, bits);
    }

    private static PtxOperand Operand(Instruction i, int index) => i.Operands.Length > index ? new(i.Operands[index][0]) : PtxOperand.None;

    /// <summary>The bits that a result has.</summary>
    private static ulong Bits(Instruction i)
        => i.Opcode.Contains("64", StringComparison.Ordinal) || i.Opcode.Contains("wide", StringComparison.Ordinal) ? ulong.MaxValue : uint.MaxValue;

    /// <summary>As above, of what is asked for lane by lane.</summary>
    internal static Action<PtxWarp> Lanes(Instruction i, Func<PtxWarp, int, ulong> result)
    {
        int target = i.Operands[0][0].Register;
        ulong bits = Bits(i);
        return w =>
        {
            for (uint left = w.Active; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                w[target, lane] = result(w, lane) & bits;
            }
        };
    }

    private Action<PtxWarp> Move(Instruction i)
    {
        Arg[] to = i.Operands[0], from = i.Operands[1];
        if (from.Length == 2)
        {
            return Pack(i, from, i.Opcode == "mov.b64" ? 32 : 16);
        }

        if (to.Length == 2)
        {
            return Unpack(to, new PtxOperand(from[0]));
        }

        return from[0].Name is { } name ? Lanes(i, Special(name)) : Compute(i, PtxFormulas.Move);
    }

    private static Action<PtxWarp> Pack(Instruction i, Arg[] from, int half)
    {
        int target = i.Operands[0][0].Register;
        PtxOperand low = new(from[0]), high = new(from[1]);
        ulong bits = Bits(i), lowBits = (1UL << half) - 1;
        return w =>
        {
            ReadOnlySpan<ulong> lows = low.Of(w), highs = high.Of(w);
            Span<ulong> results = w.Values(target);
            for (uint left = w.Active; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                results[lane] = (lows[lane] & lowBits | highs[lane] << half) & bits;
            }
        };
    }

    private static Action<PtxWarp> Unpack(Arg[] to, PtxOperand from) => w =>
    {
        ReadOnlySpan<ulong> pairs = from.Of(w);
        for (uint left = w.Active; left != 0; left &= left - 1)
        {
            int lane = BitOperations.TrailingZeroCount(left);
            ulong pair = pairs[lane];
            w[to[0].Register, lane] = pair & 0xffff;
            w[to[1].Register, lane] = pair >> 16 & 0xffff;
        }
    };

    private Func<PtxWarp, int, ulong> Special(string name) => name switch
    {
        "smem" => (w, _) => PtxCluster.Address(w.Block.Rank, 0),
        "arguments" => (_, _) => 0,
        "%tid.x" => (w, lane) => (ulong)(w.FirstThread + lane),
        "%ctaid.x" => (_, _) => (ulong)machine.Block[0],
        "%ctaid.y" => (_, _) => (ulong)machine.Block[1],
        "%ctaid.z" => (_, _) => (ulong)machine.Block[2],
        "%nctaid.x" => (_, _) => (ulong)machine.GridSize[0],
        "%nctaid.y" => (_, _) => (ulong)machine.GridSize[1],
        "%laneid" => (_, lane) => (ulong)lane,
        "%cluster_ctarank" => (w, _) => (ulong)w.Block.Rank,
        "%globaltimer" => machine.Now,
        _ => throw new NotSupportedException(name),
    };

    private static Action<PtxWarp> Branch(Instruction i) => w =>
    {
        if (w.Active != w.Live)
        {
            throw new InvalidOperationException("lanes of a warp part");
        }

        w.Next = i.Target;
    };

    private Action<PtxWarp> Barrier(Instruction i) => w =>
    {
        if (w.Active != w.Live)
        {
            throw new InvalidOperationException("a barrier for part of a warp");
        }

        int threads = i.Operands.Length > 1 ? (int)Value(w, i.Operands[1][0], 0) : 0;
        machine.Barriers.Arrive(w, (int)Value(w, i.Operands[0][0], 0), threads, machine.Races);
    };

    private static Action<PtxWarp> Depend(Instruction i)
    {
        bool waits = i.Parts[1] == "wait";
        return w =>
        {
            if (waits && w.Active != w.Live)
            {
                throw new InvalidOperationException("a wait of some lanes only");
            }

            w.HasWaited |= waits;
        };
    }

    private static Action<PtxWarp> Vote(Instruction i) => w =>
    {
        if (w.Active != uint.MaxValue || i.Parts[2] != "any")
        {
            throw new InvalidOperationException("a vote without some lanes, or of another kind");
        }

        w.Values(i.Operands[0][0].Register).Fill(new PtxOperand(i.Operands[1][0]).Of(w).ContainsAnyExcept(0ul) ? 1u : 0u);
    };

    private static Action<PtxWarp> Shuffle(Instruction i)
    {
        Func<int, int, int> source = i.Parts[2] switch
        {
            "bfly" => (lane, x) => lane ^ x,
            "idx" => (_, x) => x,
            "down" => (lane, x) => lane + x > 31 ? lane : lane + x,
            "up" => (lane, x) => lane - x < 0 ? lane : lane - x,
            _ => throw new NotSupportedException(i.Opcode),
        };
        PtxOperand value = new(i.Operands[1][0]), step = new(i.Operands[2][0]);
        return w =>
        {
            if (w.Active != uint.MaxValue)
            {
                throw new InvalidOperationException("a shuffle without some lanes");
            }

            Span<ulong> values = stackalloc ulong[PtxWarp.Lanes];
            ReadOnlySpan<ulong> own = value.Of(w), steps = step.Of(w);
            for (int lane = 0; lane < values.Length; lane++)
            {
                values[lane] = own[source(lane, (int)steps[lane])];
            }

            values.CopyTo(w.Values(i.Operands[0][0].Register));
        };
    }
}
