using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>How pairs lie once they are packed.</summary>
internal enum PackedForm
{
    /// <summary>Half of a strip of b: for each pair its 16 lines, 128 bytes from pair to pair.</summary>
    Strip,

    /// <summary>Two panels of a: for each pair its 8 lines.</summary>
    Panels,

    /// <summary>A tile of a: for each line its 16 pairs.</summary>
    Tile,
}

/// <summary>
/// Sixteen lines of floats into pairs of bfloat16, sixteen pairs along k at a time: what <see cref="PairBlock"/> does in C#, with the processor's own rounding, which takes what is
/// below the least normal number for 0, as the units do that multiply.
/// </summary>
internal static class PackProgram
{
    private const int Side = PairBlock.Side;
    private const int FirstRow = 16, Spare = 4, Order = 5, Loads = 4;
    private const int VectorBytes = 64, StripBytes = 2 * VectorBytes;

    /// <summary>Halves of two rows, taken in turns: an index for <see cref="VectorInstruction.PermuteHalves"/>.</summary>
    public static IEnumerable<ushort> Turns => Enumerable.Range(0, 2 * Side).Select(i => (ushort)(i / 2 + i % 2 * Side));

    /// <param name="w">Where it is written.</param>
    /// <param name="across">Lines are adjacent in memory, else the k of a line.</param>
    /// <param name="form">How pairs are to lie.</param>
    public static void Write(Assembler w, bool across, PackedForm form)
    {
        int block = w.Label();
        w.Move(Register.R10, new Address(Register.Rcx, PackArguments.SourceAt));
        w.Move(Register.R8, new Address(Register.Rcx, PackArguments.StrideAt));
        w.Move(Register.Rax, new Address(Register.Rcx, PackArguments.BlocksAt));
        w.Move(Register.R9, new Address(Register.Rcx, PackArguments.TargetAt));
        w.Move(Register.R11, new Address(Register.Rcx, PackArguments.NextAt));
        w.Move(Register.Rdx, new Address(Register.Rcx, PackArguments.TurnsAt));
        w.Vector(VectorInstruction.Load, Order, Register.Rdx);
        int[] rows = [.. Enumerable.Range(FirstRow, Side)];

        w.Mark(block);
        w.Move(Register.Rdx, Register.R10);
        for (int i = 0; i < Side; i++)
        {
            Row(w, across, rows[i], i % Loads);
        }

        if (across)
        {
            w.Move(Register.R10, Register.Rdx);
        }
        else
        {
            w.Add(Register.R10, StripBytes);
        }

        if (across == (form == PackedForm.Tile))
        {
            Turn(w, rows);
        }

        Put(w, form, rows);
        w.Subtract(Register.Rax, 1);
        w.Jump(Condition.NotZero, block);
        w.ClearUpper();
        w.Return();
    }

    // 16 pairs of a line, or a pair of 16 lines; rdx goes on to the next.
    private static void Row(Assembler w, bool across, int row, int load)
    {
        w.Vector(VectorInstruction.Load, load, across ? new Address(Register.Rdx, 0, Register.R8) : new Address(Register.Rdx, VectorBytes));
        w.Vector(VectorInstruction.RoundPairs, row, load, Register.Rdx);
        w.Add(Register.Rdx, Register.R8);
        if (across)
        {
            w.Vector(VectorInstruction.PermuteHalves, row, Order, row);
            w.Add(Register.Rdx, Register.R8);
        }
    }

    /// <summary>Rows become columns: four by four elements within the quarters of vectors, then four by four quarters. Changes which vector is which row.</summary>
    private static void Turn(Assembler w, int[] rows)
    {
        int spare = Spare;
        void Exchange(int i, int j, Action<int> low, Action<int> high)
        {
            low(spare);
            high(rows[j]);
            (rows[i], spare) = (spare, rows[i]);
        }

        void Unpack(int i, int j) => Exchange(
            i, j, t => w.Vector(VectorInstruction.UnpackLow, t, rows[i], rows[j]), t => w.Vector(VectorInstruction.UnpackHigh, t, rows[i], rows[j]));
        void Shuffle(VectorInstruction op, int i, int j, byte low, byte high) => Exchange(i, j, t => w.Vector(op, t, rows[i], rows[j], low), t => w.Vector(op, t, rows[i], rows[j], high));

        for (int i = 0; i < Side; i += 4)
        {
            Unpack(i, i + 1);
            Unpack(i + 2, i + 3);
            Shuffle(VectorInstruction.Shuffle, i, i + 2, 0x44, 0xee);
            Shuffle(VectorInstruction.Shuffle, i + 1, i + 3, 0x44, 0xee);
            (rows[i + 1], rows[i + 2]) = (rows[i + 2], rows[i + 1]);
        }

        for (int i = 0; i < 4; i++)
        {
            Shuffle(VectorInstruction.ShuffleQuarters, i, i + 4, 0x44, 0xee);
            Shuffle(VectorInstruction.ShuffleQuarters, i + 8, i + 12, 0x44, 0xee);
            Shuffle(VectorInstruction.ShuffleQuarters, i, i + 8, 0x88, 0xdd);
            Shuffle(VectorInstruction.ShuffleQuarters, i + 4, i + 12, 0x88, 0xdd);
            (rows[i + 4], rows[i + 8]) = (rows[i + 8], rows[i + 4]);
        }
    }

    private static void Put(Assembler w, PackedForm form, int[] rows)
    {
        if (form == PackedForm.Panels)
        {
            // Two pairs of eight lines are a vector.
            for (int i = 0; i < Side; i += 2)
            {
                w.Vector(VectorInstruction.ShuffleQuarters, 0, rows[i], rows[i + 1], 0x44);
                w.Vector(VectorInstruction.ShuffleQuarters, 1, rows[i], rows[i + 1], 0xee);
                w.Vector(VectorInstruction.Store, 0, Register.R9);
                w.Vector(VectorInstruction.Store, 1, new Address(Register.R9, 0, Register.R11));
                w.Add(Register.R9, VectorBytes);
            }

            return;
        }

        int bytes = form == PackedForm.Strip ? StripBytes : VectorBytes;
        for (int i = 0; i < Side; i++)
        {
            w.Vector(VectorInstruction.Store, rows[i], new Address(Register.R9, i * bytes));
        }

        w.Add(Register.R9, Side * bytes);
        if (form == PackedForm.Tile)
        {
            w.Add(Register.R9, Register.R11);
        }
    }
}
