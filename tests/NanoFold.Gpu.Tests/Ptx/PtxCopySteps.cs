using System.Numerics;
using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>cp.async: copies of 4, 8 or 16 bytes a lane, in groups; they land when they are waited for.</summary>
internal static class PtxCopySteps
{
    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i)
    {
        if (i.Parts[2] == "commit_group")
        {
            return w => w.Copies.Add([]);
        }

        if (i.Parts[2] == "wait_group")
        {
            return w => Wait(machine, w, (int)i.Operands[0][0].Number);
        }

        int bytes = (int)i.Operands[2][0].Number;
        return w =>
        {
            Span<int> touched = stackalloc int[PtxWarp.Lanes];
            int count = 0;
            Arg to = i.Operands[0][0], from = i.Operands[1][0];
            for (uint left = w.Active; left != 0; left &= left - 1)
            {
                int lane = BitOperations.TrailingZeroCount(left);
                int shared = machine.SharedAt(w[to.Register, lane] + (ulong)to.Number, bytes);
                ulong global = w[from.Register, lane] + (ulong)from.Number;
                int source = i.Operands.Length > 3 ? (int)PtxDecoder.Value(w, i.Operands[3][0], lane) : bytes;
                if (source < 0 || source > bytes)
                {
                    throw new InvalidOperationException($"{source} bytes of a source of {bytes}");
                }

                machine.Races?.Shared(w, lane, shared, bytes, isWrite: true);
                machine.Shared.AsSpan(shared, bytes).Fill(0xff);
                w.Copies[^1].Add(new PtxWarp.Copy(lane, shared, global, bytes, source));
                touched[count++] = shared;
            }

            PtxBanks.Count(machine, touched[..count], bytes);
        };
    }

    private static void Wait(PtxMachine machine, PtxWarp w, int pending)
    {
        while (w.Copies.Count - 1 > pending)
        {
            foreach (PtxWarp.Copy copy in w.Copies[0])
            {
                machine.Races?.Shared(w, copy.Lane, copy.Shared, copy.Bytes, isWrite: true);
                Span<byte> target = machine.Shared.AsSpan(copy.Shared, copy.Bytes);
                target.Clear();
                if (copy.SourceBytes > 0)
                {
                    if (copy.Global % (ulong)copy.Bytes != 0)
                    {
                        throw new InvalidOperationException($"a copy of {copy.Bytes} from a misaligned address");
                    }

                    machine.Global(copy.Global, copy.SourceBytes).CopyTo(target);
                }
            }

            w.Copies.RemoveAt(0);
        }
    }
}
