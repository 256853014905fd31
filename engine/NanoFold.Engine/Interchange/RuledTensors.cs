namespace NanoFold.Engine.Interchange;

/// <summary>The same rules the other way: tensors of another program, made of our parameters.</summary>
/// <param name="rules">One for each of our parameters.</param>
/// <param name="read">Reads all elements of one of ours, by its name.</param>
public sealed class RuledTensors(IEnumerable<TensorRule> rules, Func<string, float[]> read)
{
    private readonly List<(string Name, IReadOnlyList<long> Shape, List<TensorRule> Rules)> _tensors = Gather(rules);

    /// <summary>What there is to write: names and shapes, in the order of our parameters.</summary>
    public IEnumerable<(string Name, IReadOnlyList<long> Shape)> Tensors => _tensors.Select(tensor => (tensor.Name, tensor.Shape));

    /// <summary>All elements of one of them.</summary>
    /// <exception cref="UserException">Rows of it are none of ours.</exception>
    public float[] Read(string name)
    {
        (_, IReadOnlyList<long> shape, List<TensorRule> sources) = _tensors.First(tensor => tensor.Name == name);
        var values = new float[shape.Aggregate(1L, (product, extent) => product * extent)];
        long written = 0;
        foreach (TensorRule rule in sources)
        {
            float[] ours = read(rule.Ours);
            long first = 0;
            foreach (TensorPart part in rule.Parts)
            {
                foreach (RowRun run in part.Runs)
                {
                    int elements = (int)(run.Count * rule.RowElements);
                    if (part.Theirs == name)
                    {
                        Write(ours.AsSpan((int)first, elements), part, run, (int)rule.RowElements, values);
                        written += elements;
                    }

                    first += elements;
                }
            }
        }

        return written == values.Length ? values : throw new UserException($"'{name}': {values.Length - written} of its elements are none of the model's");
    }

    private static void Write(ReadOnlySpan<float> ours, TensorPart part, RowRun run, int rowElements, float[] values)
    {
        if (!part.IsTransposed && run.Stride == 1)
        {
            ours.CopyTo(values.AsSpan((int)(run.Start * rowElements)));
            return;
        }

        // Where element e of row r lies.
        long columns = part.AllRows, matrix = part.Matrix * rowElements * columns;
        for (int i = 0; i < ours.Length; i++)
        {
            (int row, int element) = (i / rowElements, i % rowElements);
            values[part.IsTransposed ? matrix + (element * columns) + run.At(row) : (run.At(row) * rowElements) + element] = ours[i];
        }
    }

    private static List<(string, IReadOnlyList<long>, List<TensorRule>)> Gather(IEnumerable<TensorRule> rules)
    {
        List<(string Name, IReadOnlyList<long> Shape, List<TensorRule> Rules)> tensors = [];
        Dictionary<string, List<TensorRule>> byName = new(StringComparer.Ordinal);
        foreach (TensorRule rule in rules)
        {
            foreach (TensorPart part in rule.Parts.DistinctBy(part => part.Theirs))
            {
                if (!byName.TryGetValue(part.Theirs, out List<TensorRule>? sources))
                {
                    byName.Add(part.Theirs, sources = []);
                    tensors.Add((part.Theirs, part.Shape, sources));
                }

                sources.Add(rule);
            }
        }

        return tensors;
    }
}
