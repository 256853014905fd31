using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>Constants of a model, such as the sines of rotary positions; a tape reads them by <c>Use</c>.</summary>
public sealed class Table
{
    internal Table(string name, in View view)
    {
        Name = name;
        View = view;
    }

    public string Name { get; }

    public View View { get; }
}

/// <summary>The tables of a model: each is made once, however many layers ask for it.</summary>
public sealed class TableStore(Backend backend, DType type) : IDisposable
{
    private readonly Dictionary<string, Table> _tables = new(StringComparer.Ordinal);

    /// <summary>Bytes of all tables.</summary>
    public long Bytes => _tables.Values.Sum(table => table.View.Buffer.Bytes);

    /// <summary>The table of that name, made here where it is the first.</summary>
    /// <param name="name">Says all that its values depend on: tables of one name are one table.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="values">Computes its values, row by row.</param>
    public Table Get(string name, in Layout layout, Func<double[]> values)
    {
        if (_tables.TryGetValue(name, out Table? table))
        {
            return table.View.Layout.SameShape(layout)
                ? table
                : throw new ArgumentException($"table '{name}': is {table.View.Layout}, expected {layout}");
        }

        table = new Table(name, new View(backend.Allocate(layout.Count * type.Size()), 0, layout, type));
        _tables.Add(name, table);
        if (!backend.HoldsValues)
        {
            return table;
        }

        if (type == DType.Float64)
        {
            backend.Upload<double>(values(), table.View);
        }
        else
        {
            backend.Upload<float>(Array.ConvertAll(values(), v => (float)v), table.View);
        }

        return table;
    }

    public void Dispose()
    {
        foreach (Table table in _tables.Values)
        {
            table.View.Buffer.Dispose();
        }

        _tables.Clear();
    }
}
