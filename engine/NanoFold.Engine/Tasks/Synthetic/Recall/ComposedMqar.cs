namespace NanoFold.Engine.Tasks;

/// <summary>
/// Recall of keys of two tokens: √n first ones and √n second ones, each first with each second, so that only both together say which value. Triples k₁ k₂ v begin the row, slots are of
/// three places, and the value is asked for at k₂. The thirds of the vocabulary are first tokens (from 1), second tokens and values.
/// </summary>
internal sealed class ComposedMqar(MqarConfig config, TaskContext context) : LabelledTask(config, context)
{
    /// <summary>Triple of a triple, and of a slot.</summary>
    public const int Triple = 3;

    private readonly SlotWeights _slots = new(config.Power, context.Model.Context / Triple);
    private readonly int _third = config.Symbols / Triple;
    private readonly int _side = (int)Math.Sqrt(config.Pairs);

    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(Values);

    public override string? GroupedBy => "distance";

    private int Values => config.Symbols - (2 * _third);

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(Values);

    public override IEnumerable<Baseline> Baselines() => [new("one of the row's values", OneOf(config.Pairs))];

    public override IEnumerable<string> Describe() => [$"recall: {config.Pairs} keys of two tokens a row, {_side} first and {_side} second ones"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        int pairs = config.Pairs, start = Triple * pairs;
        Span<int> first = stackalloc int[_side], second = stackalloc int[_side], cells = stackalloc int[pairs];
        draws.Distinct(first, _side, from: 1, _third - 1);
        draws.Distinct(second, _side, from: _third, _third);
        for (int cell = 0; cell < pairs; cell++)
        {
            cells[cell] = cell;
        }

        draws.Shuffle(cells);
        draws.Distinct(tokens[2..], pairs, from: 2 * _third, Values, Triple);
        Span<int> asked = targets[start..];
        for (int i = 0; i < pairs; i++)
        {
            int at = Triple * i, slot = Triple * _slots.Draw(ref draws, asked, Triple);
            (tokens[at], tokens[at + 1]) = (first[cells[i] / _side], second[cells[i] % _side]);
            // A slot is taken where its first place is marked; the mark goes to the second one when all are drawn.
            asked[slot] = at;
        }

        for (int slot = 0; slot + Triple <= asked.Length; slot += Triple)
        {
            if (asked[slot] is var at and >= 0)
            {
                (tokens[start + slot], tokens[start + slot + 1]) = (tokens[at], tokens[at + 1]);
                (asked[slot], asked[slot + 1]) = (-1, tokens[at + 2]);
                if (!groups.IsEmpty)
                {
                    groups[start + slot + 1] = start + slot - at;
                }
            }
        }

        for (int at = start; config.Distractors && at < tokens.Length; at++)
        {
            bool isKey = targets[at] >= 0 || (at + 1 < tokens.Length && targets[at + 1] >= 0);
            tokens[at] = isKey ? tokens[at] : draws.Below(config.Symbols);
        }

        return pairs;
    }
}
