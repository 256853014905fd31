using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Blocks;

/// <summary>What blocks say to each other in global memory: atom and red, which add or count round, and loads that acquire. Only <c>.acquire</c>, <c>.release</c> and <c>.acq_rel</c> order anything.</summary>
internal static unsafe class AtomicSteps
{
    /// <summary>A loop that asks for the same word again within so many instructions waits for it.</summary>
    private const int ShortLoop = 8;

    public static bool Is(Instruction i) => i.Parts[0] is "atom" or "red" || (i.Parts[0] == "ld" && i.Parts[1] is "acquire" or "relaxed");

    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i)
    {
        bool isLoad = i.Parts[0] == "ld", isAtom = i.Parts[0] == "atom", isFloat = i.Parts[^1] == "f32";
        bool isSum = i.Parts[^2] == "add" && i.Parts[^1] is "u32" or "f32", isTurn = isAtom && i.Parts[^2] == "inc" && i.Parts[^1] == "u32";
        if (!i.Parts.Contains("global") || !(isLoad ? i.Parts[^1] == "b32" : isSum || isTurn))
        {
            throw new NotSupportedException(i.Opcode);
        }

        Arg address = i.Operands[isLoad || isAtom ? 1 : 0][0];
        return isLoad ? w => Load(machine, i, w, address) : w => Add(machine, i, w, address, i.Operands[isAtom ? 2 : 1][0], isAtom ? i.Operands[0][0].Register : -1, isFloat);
    }

    private static ulong At(PtxWarp w, Arg address, int lane) => w[address.Register, lane] + (ulong)address.Number;

    private static void Add(PtxMachine machine, Instruction i, PtxWarp w, Arg address, Arg value, int result, bool isFloat)
    {
        for (int lane = 0; lane < 32; lane++)
        {
            if (!w.Runs(lane))
            {
                continue;
            }

            ulong at = At(w, address, lane);
            uint* word = (uint*)machine.Element(at, 4);
            uint before = *word, added = (uint)PtxDecoder.Value(w, value, lane);
            *word = i.Parts[^2] == "inc" ? before >= added ? 0 : before + 1 : isFloat ? PtxFormulas.Bits(PtxFormulas.Float(before) + PtxFormulas.Float(added)) : before + added;
            if (result >= 0)
            {
                w[result, lane] = before;
            }

            if (isFloat)
            {
                machine.Races?.Global(w, lane, at, 4, isWrite: true);
            }
            else if (i.Parts[1] == "release")
            {
                w.Order?.Release(machine.Races!.Told(at));
            }
            else if (i.Parts[1] == "acq_rel")
            {
                w.Order?.Acquire(machine.Races!.Told(at), w.Active == w.Live);
                w.Order?.Release(machine.Races!.Told(at));
            }
        }
    }

    private static void Load(PtxMachine machine, Instruction i, PtxWarp w, Arg address)
    {
        bool isSame = true;
        ulong first = 0;
        uint value = 0;
        for (int lane = 0; lane < 32; lane++)
        {
            if (!w.Runs(lane))
            {
                continue;
            }

            ulong at = At(w, address, lane);
            uint found = *(uint*)machine.Element(at, 4);
            w[i.Operands[0][0].Register, lane] = found;
            isSame &= first == 0 || first == at;
            (first, value) = (at, found);
            if (i.Parts[1] == "acquire")
            {
                w.Order?.Acquire(machine.Races!.Told(at), w.Active == w.Live);
            }
        }

        (int Instruction, ulong Address, uint Value, long Time) asked = w.Asked;
        w.Asked = (i.Index, first, value, w.Steps);
        if (isSame && asked.Instruction == i.Index && asked.Address == first && asked.Value == value && w.Steps - asked.Time <= ShortLoop)
        {
            machine.WordWaits++;
            w.WaitFor($"the word at {first:x}, which is {value}, to change", () => *(uint*)machine.Element(first, 4) != value);
        }
    }
}
