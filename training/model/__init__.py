"""The MIFT network, one layer per file. Gong et al., Remote Sensing 2024, 16(6), 941, doi:10.3390/rs16060941."""
