using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using NanoFold.Gpu.Tests.Ptx.Clusters;
using NanoFold.Gpu.Tests.Ptx.Hopper;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Turns an instruction into what it does to a warp.</summary>
internal sealed unsafe class PtxDecoder(PtxMachine machine)
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
            "ld" => parts[1] == "param" ? LoadArgument(i) : Access(i, isLoad: true),
            "st" => Access(i, isLoad: false),
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
            "setp" => Compare(i),
            "selp" => Lanes(i, (w, lane) => Value(w, i.Operands[3][0], lane) != 0 ? Value(w, i.Operands[1][0], lane) : Value(w, i.Operands[2][0], lane)),
            _ => Compute(i),
        };
    }

    internal static ulong Value(PtxWarp w, Arg arg, int lane) => arg.Register >= 0 ? w[arg.Register, lane] : (ulong)arg.Number;

    private static Action<PtxWarp> Lanes(Instruction i, Func<PtxWarp, int, ulong> result)
    {
        int target = i.Operands[0][0].Register;
        bool narrow = !i.Opcode.Contains("64", StringComparison.Ordinal) && !i.Opcode.Contains("wide", StringComparison.Ordinal);
        return w =>
        {
            for (int lane = 0; lane < 32; lane++)
            {
                if (w.Runs(lane))
                {
                    ulong value = result(w, lane);
                    w[target, lane] = narrow ? (uint)value : value;
                }
            }
        };
    }

    private static Action<PtxWarp> Compute(Instruction i)
    {
        PtxFormulas.Formula formula = PtxFormulas.Find(i.Opcode);
        Arg a = i.Operands[1][0], b = i.Operands.Length > 2 ? i.Operands[2][0] : default, c = i.Operands.Length > 3 ? i.Operands[3][0] : default;
        return Lanes(i, (w, lane) => formula(Value(w, a, lane), Value(w, b, lane), Value(w, c, lane)));
    }

    private static Action<PtxWarp> Compare(Instruction i)
    {
        Func<ulong, ulong, bool> relation = PtxFormulas.Relation(i.Parts[1], i.Parts[2]);
        return Lanes(i, (w, lane) => relation(Value(w, i.Operands[1][0], lane), Value(w, i.Operands[2][0], lane)) ? 1u : 0u);
    }

    private Action<PtxWarp> Move(Instruction i)
    {
        Arg[] to = i.Operands[0], from = i.Operands[1];
        if (from.Length == 2)
        {
            int half = i.Opcode == "mov.b64" ? 32 : 16;
            return Lanes(i, (w, lane) => Value(w, from[0], lane) & (1UL << half) - 1 | Value(w, from[1], lane) << half);
        }

        if (to.Length == 2)
        {
            return w =>
            {
                for (int lane = 0; lane < 32; lane++)
                {
                    if (w.Runs(lane))
                    {
                        ulong pair = Value(w, from[0], lane);
                        w[to[0].Register, lane] = pair & 0xffff;
                        w[to[1].Register, lane] = pair >> 16 & 0xffff;
                    }
                }
            };
        }

        return from[0].Name is { } name ? Lanes(i, (w, lane) => Special(name, w, lane)) : Lanes(i, (w, lane) => Value(w, from[0], lane));
    }

    private ulong Special(string name, PtxWarp w, int lane) => name switch
    {
        "smem" => PtxCluster.Address(w.Block.Rank, 0),
        "arguments" => 0,
        "%tid.x" => (ulong)(w.FirstThread + lane),
        "%ctaid.x" => (ulong)machine.Block[0],
        "%ctaid.y" => (ulong)machine.Block[1],
        "%ctaid.z" => (ulong)machine.Block[2],
        "%nctaid.x" => (ulong)machine.GridSize[0],
        "%nctaid.y" => (ulong)machine.GridSize[1],
        "%laneid" => (ulong)lane,
        "%cluster_ctarank" => (ulong)w.Block.Rank,
        "%globaltimer" => machine.Now(w, lane),
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

    private Action<PtxWarp> LoadArgument(Instruction i)
    {
        int offset = (int)i.Operands[1][0].Number;
        return i.Parts[2].EndsWith("64", StringComparison.Ordinal)
            ? Lanes(i, (_, _) => MemoryMarshal.Read<ulong>(machine.Arguments.AsSpan(offset)))
            : Lanes(i, (_, _) => MemoryMarshal.Read<uint>(machine.Arguments.AsSpan(offset)));
    }

    private Action<PtxWarp> Access(Instruction i, bool isLoad)
    {
        int size = i.Opcode.EndsWith("64", StringComparison.Ordinal) ? 8 : i.Opcode.EndsWith("16", StringComparison.Ordinal) ? 2 : i.Opcode.EndsWith("b8", StringComparison.Ordinal) ? 1 : 4;
        bool isShared = i.Parts[1] == "shared";
        Arg[] values = i.Operands[isLoad ? 0 : 1];
        Arg address = i.Operands[isLoad ? 1 : 0][0];
        int bytes = size * values.Length;
        return w =>
        {
            var touched = new List<int>(32);
            for (int lane = 0; lane < 32; lane++)
            {
                if (!w.Runs(lane))
                {
                    continue;
                }

                ulong at = Value(w, address with { Number = 0 }, lane) + (ulong)address.Number;
                int place = isShared ? machine.SharedAt(at, bytes) : 0;
                Span<byte> memory = isShared ? machine.Shared.AsSpan(place, bytes) : new Span<byte>(machine.Global(at, bytes), bytes);
                if (isShared)
                {
                    touched.Add(place);
                    machine.Async.Shared.Generic(w, place, bytes, isWrite: !isLoad);
                    machine.Races?.Shared(w, lane, place, bytes, isWrite: !isLoad);
                }
                else
                {
                    machine.Races?.Global(w, lane, at, bytes, isWrite: !isLoad);
                }

                for (int v = 0; v < values.Length; v++)
                {
                    Span<byte> element = memory.Slice(v * size, size);
                    if (isLoad)
                    {
                        ulong wide = 0;
                        element.CopyTo(MemoryMarshal.AsBytes(new Span<ulong>(ref wide)));
                        w[values[v].Register, lane] = wide;
                    }
                    else
                    {
                        ulong value = Value(w, values[v], lane);
                        MemoryMarshal.AsBytes(new Span<ulong>(ref value))[..size].CopyTo(element);
                    }
                }
            }

            if (isShared)
            {
                PtxBanks.Count(machine, touched, bytes);
            }
        };
    }

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

        bool any = Enumerable.Range(0, 32).Any(lane => Value(w, i.Operands[1][0], lane) != 0);
        for (int lane = 0; lane < 32; lane++)
        {
            w[i.Operands[0][0].Register, lane] = any ? 1u : 0u;
        }
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
        return w =>
        {
            if (w.Active != uint.MaxValue)
            {
                throw new InvalidOperationException("a shuffle without some lanes");
            }

            var values = new ulong[32];
            for (int lane = 0; lane < 32; lane++)
            {
                values[lane] = w[i.Operands[1][0].Register, source(lane, (int)Value(w, i.Operands[2][0], lane))];
            }

            for (int lane = 0; lane < 32; lane++)
            {
                w[i.Operands[0][0].Register, lane] = values[lane];
            }
        };
    }
}
