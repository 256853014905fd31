using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Gpu.Tests.Ptx.Blocks;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Loads and stores of each lane: of shared and of global memory, and of arguments.</summary>
internal static unsafe class PtxAccessSteps
{
    public static Action<PtxWarp> LoadArgument(PtxMachine machine, Instruction i)
    {
        int offset = (int)i.Operands[1][0].Number;
        return i.Parts[2].EndsWith("64", StringComparison.Ordinal)
            ? PtxDecoder.Lanes(i, (_, _) => MemoryMarshal.Read<ulong>(machine.Arguments.AsSpan(offset)))
            : PtxDecoder.Lanes(i, (_, _) => MemoryMarshal.Read<uint>(machine.Arguments.AsSpan(offset)));
    }

    public static Action<PtxWarp> Access(PtxMachine machine, Instruction i, bool isLoad)
    {
        int size = i.Opcode.EndsWith("64", StringComparison.Ordinal) ? 8 : i.Opcode.EndsWith("16", StringComparison.Ordinal) ? 2 : i.Opcode.EndsWith("b8", StringComparison.Ordinal) ? 1 : 4;
        bool isShared = i.Parts[1] == "shared";
        Arg[] values = i.Operands[isLoad ? 0 : 1];
        Arg address = i.Operands[isLoad ? 1 : 0][0];
        PtxOperand from = new(address with { Number = 0 });
        int bytes = size * values.Length;
        return w =>
        {
            Span<int> touched = stackalloc int[PtxWarp.Lanes];
            int count = 0;
            ReadOnlySpan<ulong> bases = from.Of(w);
            for (uint left = w.Active; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                ulong at = bases[lane] + (ulong)address.Number;
                ref byte memory = ref Unsafe.NullRef<byte>();
                if (isShared)
                {
                    int place = machine.SharedAt(at, bytes);
                    touched[count++] = place;
                    machine.Async.Shared.Generic(w, place, bytes, isWrite: !isLoad);
                    machine.Races?.Shared(w, lane, place, bytes, isWrite: !isLoad);
                    memory = ref machine.Shared[place];
                }
                else
                {
                    memory = ref *machine.Element(at, bytes);
                    machine.Races?.Global(w, lane, at, bytes, isWrite: !isLoad);
                }

                for (int v = 0; v < values.Length; v++)
                {
                    ref byte element = ref Unsafe.Add(ref memory, v * size);
                    if (isLoad)
                    {
                        w[values[v].Register, lane] = Read(ref element, size);
                    }
                    else
                    {
                        Write(ref element, size, PtxDecoder.Value(w, values[v], lane));
                    }
                }
            }

            if (isShared)
            {
                PtxBanks.Count(machine, touched[..count], bytes);
            }
        };
    }

    private static ulong Read(ref byte at, int size) => size switch
    {
        1 => at,
        2 => Unsafe.ReadUnaligned<ushort>(ref at),
        4 => Unsafe.ReadUnaligned<uint>(ref at),
        _ => Unsafe.ReadUnaligned<ulong>(ref at),
    };

    private static void Write(ref byte at, int size, ulong value)
    {
        switch (size)
        {
            case 1:
                at = (byte)value;
                break;
            case 2:
                Unsafe.WriteUnaligned(ref at, (ushort)value);
                break;
            case 4:
                Unsafe.WriteUnaligned(ref at, (uint)value);
                break;
            default:
                Unsafe.WriteUnaligned(ref at, value);
                break;
        }
    }
}
